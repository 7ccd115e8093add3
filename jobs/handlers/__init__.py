"""One module a capability: `HANDLERS` (topic to function) and `TASKS` (what runs again and again).

A handler is an edge: fetch, call the service, decide about retry, nothing else. It opens its own transactions.
"""
