"""Small makers of rows that tests start from; they write through the shop's own services where there is one."""
