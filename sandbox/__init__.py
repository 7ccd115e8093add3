"""Stand-ins for the outside world in development: a payment gateway and a mailbox.

Separate processes that know nothing of the shop and import nothing from it.
"""
