"""Every table, imported once, so that migrations and the mapper see all of them."""

from app.accounts import models as accounts
from app.audit import models as audit
from app.cart import models as cart
from app.catalogue import models as catalogue
from app.checkout import models as checkout
from app.idempotency import models as idempotency
from app.inventory import models as inventory
from app.notifications import models as notifications
from app.orders import models as orders
from app.outbox import models as outbox
from app.payments import models as payments
from app.rewards import models as rewards
from app.rewards import programme_models as rewards_programme

__all__ = [
    "accounts",
    "audit",
    "cart",
    "catalogue",
    "checkout",
    "idempotency",
    "inventory",
    "notifications",
    "orders",
    "outbox",
    "payments",
    "rewards",
    "rewards_programme",
]
