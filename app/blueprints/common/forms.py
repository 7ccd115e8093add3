"""Forms that more than one edge shows. They keep what was typed; what is right is the services' business."""

from __future__ import annotations

from typing import Any

from flask import current_app
from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from app.accounts import rules
from app.accounts.rules import AddressData
from app.blueprints.common.pages import in_unit
from app.kernel.errors import ShopError


class AddressForm(FlaskForm):
    name = StringField("Full name", [InputRequired("Enter the name of the person who receives the parcel.")])
    line1 = StringField("Address line 1", [InputRequired("Enter the street and the house number.")])
    line2 = StringField("Address line 2", [Length(max=200, message="Use at most 200 characters.")])
    city = StringField("City", [InputRequired("Enter the city.")])
    region = StringField("Region")
    postcode = StringField("Postcode")
    country = SelectField("Country")
    phone = StringField("Phone number")
    is_default = BooleanField("Use this address first")

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        codes = current_app.config["COUNTRIES"]
        names = sorted((rules.country_name(code), code) for code in codes)
        self.country.choices = [SelectChoice(code, name) for name, code in names]
        if not self.country.data:
            self.country.data = codes[0]

    def to_data(self) -> AddressData:
        return AddressData(**{name: self[name].data or "" for name in AddressData.__dataclass_fields__})


def show_refusal(form: FlaskForm, error: ShopError, fields: dict[str, str] | None = None) -> bool:
    """Put the service's field errors on the form's fields (`fields`: service's name -> form's name).

    False when one of them has no field here: then the error is not the form's to show.
    """
    names = [(fields or {}).get(one.field, one.field) for one in error.errors]
    if not names or any(name not in form for name in names):
        return False
    for name, one in zip(names, error.errors, strict=True):
        field: Field = form[name]
        field.errors = [*field.errors, in_unit(one.message)]
    return True
