"""The delivery step's form: one of the address book, or a new address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wtforms import Field, RadioField
from wtforms.validators import InputRequired

from app.accounts.rules import AddressData
from app.blueprints.common.forms import AddressForm

NEW = "new"


class DeliveryForm(AddressForm):
    """The fields of a new address count only when `address_id` says so."""

    address_id = RadioField(
        "Address", [InputRequired("Choose an address.")], choices=[], validate_choice=False
    )
    shipping_method = RadioField(
        "Delivery", [InputRequired("Choose how we deliver.")], choices=[], validate_choice=False
    )

    @property
    def wants_new(self) -> bool:
        return bool(self.address_id.data == NEW)

    def validate(self, extra_validators: dict[str, Sequence[Any]] | None = None) -> bool:
        names = ["address_id", "shipping_method"]
        if self.wants_new:
            names += AddressData.__dataclass_fields__
        fields: list[Field] = [self[name] for name in names]
        good = [field.validate(self) for field in fields]  # each of them, so that every error is shown
        return all(good)
