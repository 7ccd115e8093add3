"""Flask extensions, unbound; `create_app` binds them. `db` lives in the kernel (docs/adr/0001)."""

from __future__ import annotations

from flask_babel import Babel
from flask_caching import Cache
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager
from flask_mailman import Mail
from flask_migrate import Migrate
from flask_wtf.csrf import CSRFProtect

from app.kernel.database import db

migrate = Migrate()
login_manager = LoginManager()
csrf = CSRFProtect()
cache = Cache()
limiter = Limiter(key_func=get_remote_address)
babel = Babel()
mail = Mail()

__all__ = ["babel", "cache", "csrf", "db", "limiter", "login_manager", "mail", "migrate"]
