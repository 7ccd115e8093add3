"""The states of every page and mail: name -> (template, context builder, signed in)."""

from __future__ import annotations

from tests.web.states_account import ACCOUNT
from tests.web.states_checkout import CHECKOUT
from tests.web.states_mail import MAILS
from tests.web.states_orders import ORDER_PAGES
from tests.web.states_shop import SHOP, State

STATES: dict[str, State] = SHOP | CHECKOUT | ACCOUNT | ORDER_PAGES | MAILS
