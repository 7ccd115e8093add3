"""The back office, under /admin: Flask-Admin as a guest. Never linked from the shop.

It brings the frame: views, menu, lists with sorting, search and pages. What is seen is decided by `access`, what
is changed goes through the services of the shop, each in one transaction with its row in the audit log.
"""

from __future__ import annotations

from flask import Flask
from flask_admin import Admin
from flask_admin.theme import Bootstrap4Theme

from app.accounts.models import Customer
from app.audit.models import AuditEntry
from app.blueprints.backoffice import cells
from app.blueprints.backoffice.adjustments import Adjustments
from app.blueprints.backoffice.audit import AuditLog
from app.blueprints.backoffice.customers import Customers
from app.blueprints.backoffice.dashboard import Dashboard
from app.blueprints.backoffice.disputes import Disputes
from app.blueprints.backoffice.failures import Failures
from app.blueprints.backoffice.files import AdjustmentFiles
from app.blueprints.backoffice.jobs import DeadJobs, Schedule
from app.blueprints.backoffice.liability import Liability
from app.blueprints.backoffice.orders import Orders
from app.blueprints.backoffice.payments import Callbacks, Differences, Payments
from app.blueprints.backoffice.products import Products
from app.blueprints.backoffice.rules import RulesVersions
from app.blueprints.backoffice.simulator import Simulator
from app.blueprints.backoffice.taxonomy import Brands, Categories
from app.catalogue.models import Brand, Category, Product
from app.orders.models import Order
from app.outbox.models import OutboxRow
from app.payments.models import Dispute, Payment, ReconciliationIssue, WebhookEvent
from app.rewards.models import PointsAdjustment, RewardsRules
from app.rewards.programme_models import AdjustmentBatch

WORDS = ("words", "badge", "amount", "signed", "moment", "ago", "differences", "plain")


def register(app: Flask) -> None:
    """Hang the views on `app`. The theme is only a name: every template that is rendered is ours."""
    app.jinja_env.filters.update({f"desk_{name}": getattr(cells, name) for name in WORDS})
    theme = Bootstrap4Theme(base_template="admin/frame.html")
    admin = Admin(app, name=app.config["SHOP_NAME"], theme=theme, index_view=Dashboard())
    admin.add_views(
        Orders(Order, endpoint="admin_orders", url="orders", category="Shop"),
        Customers(Customer, endpoint="admin_customers", url="customers", category="Shop"),
        Products(Product, endpoint="admin_products", url="products", category="Catalogue"),
        Brands(Brand, endpoint="admin_brands", url="brands", category="Catalogue"),
        Categories(Category, endpoint="admin_categories", url="categories", category="Catalogue"),
        Adjustments(PointsAdjustment, endpoint="admin_adjustments", url="adjustments", category="Rewards"),
        AdjustmentFiles(AdjustmentBatch, endpoint="admin_files", url="adjustment-files", category="Rewards"),
        RulesVersions(RewardsRules, endpoint="admin_rules", url="rules", category="Rewards"),
        Simulator("New rules", endpoint="admin_simulator", url="rules-draft", category="Rewards"),
        Liability("Liability", endpoint="admin_liability", url="liability", category="Rewards"),
        Payments(Payment, endpoint="admin_payments", url="payments", category="Money"),
        Failures(Payment, endpoint="admin_failures", url="failed-payments", category="Money"),
        Disputes(Dispute, endpoint="admin_disputes", url="disputes", category="Money"),
        Differences(ReconciliationIssue, endpoint="admin_issues", url="reconciliation", category="Money"),
        Callbacks(WebhookEvent, endpoint="admin_webhooks", url="webhooks", category="Money"),
        DeadJobs(OutboxRow, endpoint="admin_jobs", url="dead-letters", category="System"),
        Schedule(endpoint="admin_schedule", url="schedule", category="System"),
        AuditLog(AuditEntry, endpoint="admin_audit", url="audit", category="System"),
    )
