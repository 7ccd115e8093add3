"""The sandbox payment gateway. The wire contract is docs/sandbox-gateway.md."""
