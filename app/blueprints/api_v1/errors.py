"""Every error code of the API: status, meaning, and whether the same call may succeed later."""

from __future__ import annotations

from typing import NamedTuple


class Explained(NamedTuple):
    """`retry`: what a client can do."""

    status: int
    meaning: str
    retry: str


_FIX = "No: change the request."
_NO = "No."
_LATER = "Yes, after `Retry-After`."
_SIGN_IN = "After signing in again."
_REFRESH = "After refreshing the token."
_NEW_QUOTE = "With the fresh quote."

CATALOGUE: dict[str, Explained] = {
    "BAD_REQUEST": Explained(400, "The request cannot be understood.", _FIX),
    "BODY_INVALID": Explained(400, "The body is not well-formed JSON in UTF-8.", _FIX),
    "IDEMPOTENCY_KEY_MISSING": Explained(
        400, "The call needs an Idempotency-Key header.", "With the header."
    ),
    "SIGNATURE_INVALID": Explained(400, "The callback is not signed by the gateway, or too old.", _NO),
    "TOKEN_INVALID": Explained(401, "No access token, or one that does not count any more.", _SIGN_IN),
    "TOKEN_EXPIRED": Explained(401, "The access token is older than its 15 minutes.", _REFRESH),
    "CREDENTIALS_INVALID": Explained(401, "The address or the password is wrong.", _FIX),
    "TOTP_REQUIRED": Explained(
        401, "The account has a second factor; send `totp`. None can be set up yet.", "With `totp`."
    ),
    "CARD_DECLINED": Explained(
        402, "The card was declined; points and stock are given back.", "With another card."
    ),
    "CARD_INSUFFICIENT_FUNDS": Explained(402, "The card has not enough money.", "With another card."),
    "CARD_EXPIRED": Explained(402, "The card has expired.", "With another card."),
    "FORBIDDEN": Explained(403, "Signed in, but the role is not allowed to do this.", _NO),
    "SELF_APPROVAL": Explained(
        403, "Whoever asked for an adjustment cannot decide about it.", "By a colleague."
    ),
    "NOT_FOUND": Explained(404, "Not there, or not yours: the same answer for both.", _NO),
    "METHOD_NOT_ALLOWED": Explained(405, "The address does not take this method; see `Allow`.", _FIX),
    "CONFLICT": Explained(409, "The thing was changed in the meantime.", "After reading it again."),
    "BUSY": Explained(409, "Another change to the same thing is in progress.", _LATER),
    "EMAIL_IN_USE": Explained(409, "The address already has an account.", "By signing in."),
    "IDEMPOTENCY_IN_FLIGHT": Explained(409, "The first request with this key is still running.", _LATER),
    "QUOTE_EXPIRED": Explained(
        409, "The quote is older than its `expires_at`; a fresh one is in `quote`.", _NEW_QUOTE
    ),
    "QUOTE_STALE": Explained(
        409, "Cart, price, rate or balance changed; a fresh quote is in `quote`.", _NEW_QUOTE
    ),
    "STOCK_INSUFFICIENT": Explained(409, "Fewer can be sold than asked for; see `available`.", "With fewer."),
    "ORDER_NOT_CANCELLABLE": Explained(409, "The order has gone too far to cancel.", _NO),
    "ORDER_NOT_PAYABLE": Explained(409, "The order does not wait for another card.", _NO),
    "ORDER_TOO_OLD": Explained(
        409, "The order was placed too long ago to be paid again at its prices.", "By ordering anew."
    ),
    "ORDER_NOT_REFUNDABLE": Explained(409, "Nothing of the order was paid yet, or it is being decided.", _NO),
    "PAYMENT_IN_PROGRESS": Explained(
        409, "A payment of this order is still being decided.", "After it is decided."
    ),
    "PAYMENT_NOT_CAPTURED": Explained(
        409, "The card was not charged, so there is nothing to give back to it.", _NO
    ),
    "PAYMENT_DISPUTED": Explained(
        409,
        "The card holder's bank decides about the payment, or has given the money back.",
        "After it is decided.",
    ),
    "REFUND_EXCEEDS_PAID": Explained(409, "More than is left of what was paid; see `left`.", _FIX),
    "NOTHING_TO_REFUND": Explained(409, "Everything has been given back.", _NO),
    "NOTHING_TO_SEND": Explained(
        409, "Everything has been given back; there is nothing to pack or ship.", _NO
    ),
    "ADJUSTMENT_DUPLICATE": Explained(409, "The same adjustment already waits for approval.", _NO),
    "ADJUSTMENT_EXPIRED": Explained(409, "The adjustment waited too long for approval.", "By asking again."),
    "ADJUSTMENT_IN_BATCH": Explained(
        409, "The adjustment belongs to a file that is decided as a whole.", _NO
    ),
    "ADJUSTMENT_NOT_APPLIED": Explained(409, "Only an applied adjustment can be undone.", _NO),
    "ALREADY_POSTED": Explained(409, "The ledger has this already.", _NO),
    "CART_FULL": Explained(409, "The cart holds as many different lines as it can.", "After removing one."),
    "TRANSITION_INVALID": Explained(409, "The order's state table has no such move.", _FIX),
    "BODY_TOO_LARGE": Explained(413, "The body is larger than 64 KiB.", _FIX),
    "UNSUPPORTED_MEDIA_TYPE": Explained(415, "The body is not application/json.", _FIX),
    "VALIDATION_FAILED": Explained(422, "Fields are missing, unknown or wrong; `errors` names each.", _FIX),
    "CURSOR_INVALID": Explained(422, "The cursor was made for other filters.", "From the first page."),
    "IDEMPOTENCY_KEY_INVALID": Explained(422, "The key is not 1 to 255 visible ASCII characters.", _FIX),
    "IDEMPOTENCY_KEY_REUSED": Explained(422, "The key was used with another request.", "With a new key."),
    "ADDRESS_LIMIT": Explained(422, "The address book is full.", "After deleting one."),
    "CART_EMPTY": Explained(422, "There is nothing in the cart.", "After adding something."),
    "TRANSFERS_OFF": Explained(422, "Points cannot be transferred at present.", _NO),
    "SELF_CHANGE": Explained(422, "Somebody else must do this for your own account.", "By a colleague."),
    "POINTS_BELOW_MIN": Explained(422, "Fewer points than the minimum, and not 0.", _FIX),
    "POINTS_ABOVE_MAX": Explained(
        422, "More points than this order takes, or than the day still allows.", _FIX
    ),
    "POINTS_INSUFFICIENT": Explained(422, "More points than there are; 409 when they went meanwhile.", _FIX),
    "RULES_INVALID": Explained(422, "The draft of the rules contradicts itself or has unknown rules.", _FIX),
    "RULE_BROKEN": Explained(422, "The request breaks a rule of the shop.", _FIX),
    "RATE_LIMITED": Explained(429, "Too many requests of this class.", _LATER),
    "INTERNAL_ERROR": Explained(
        500, "Our fault; tell us the `request_id`.", "With the same Idempotency-Key."
    ),
    "CARDS_UNAVAILABLE": Explained(
        503, "The card gateway does not answer; nothing was ordered. Orders that points pay go on.", _LATER
    ),
    "UNAVAILABLE": Explained(503, "Something that the shop depends on does not answer.", _LATER),
}
