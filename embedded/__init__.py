"""What a stranger's machine needs to run and test the shop: the bootstrap, PostgreSQL and Redis from wheels,
and the supervisor of `make run`. Nothing in here knows what the shop sells."""
