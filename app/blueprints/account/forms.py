"""The account's forms. They keep what was typed; what is right is the services' business."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from app.accounts.rules import LANGUAGES

_LANGUAGES = [SelectChoice(locale, name, {"lang": locale}) for locale, name in LANGUAGES.items()]


class SignInForm(FlaskForm):
    email = StringField("E-mail address", [InputRequired("Enter your e-mail address.")])
    password = PasswordField("Password", [InputRequired("Enter your password.")])


class RegisterForm(FlaskForm):
    name = StringField("Full name", [InputRequired("Enter your name.")])
    email = StringField("E-mail address", [InputRequired("Enter your e-mail address.")])
    password = PasswordField("Password", [InputRequired("Choose a password.")])


class ProfileForm(FlaskForm):
    name = StringField("Full name", [InputRequired("Enter your name.")])
    locale = SelectField("Language of mails", choices=_LANGUAGES, validate_choice=False)


class PasswordForm(FlaskForm):
    current = PasswordField("Current password", [InputRequired("Enter your current password.")])
    new = PasswordField("New password", [InputRequired("Choose a new password.")])


class TransferForm(FlaskForm):
    email = StringField("E-mail address of the other member", [InputRequired("Enter their e-mail address.")])
    points = StringField("How many", [InputRequired("Enter how many to send.")])
