"""The development mailbox: takes every mail by SMTP, sends none on, and shows them."""
