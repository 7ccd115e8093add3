"""What people can do with their accounts. Nothing here commits."""

from app.accounts.service.addresses import create_address, delete_address, update_address
from app.accounts.service.people import (
    authenticate,
    change_password,
    change_profile,
    change_role,
    create_staff,
    deactivate,
    reactivate,
    register,
)
from app.accounts.service.tokens import IssuedTokens, get_bearer, issue_tokens, refresh_tokens, revoke_token

__all__ = [
    "IssuedTokens",
    "authenticate",
    "change_password",
    "change_profile",
    "change_role",
    "create_address",
    "create_staff",
    "deactivate",
    "delete_address",
    "get_bearer",
    "issue_tokens",
    "reactivate",
    "refresh_tokens",
    "register",
    "revoke_token",
    "update_address",
]
