"""The command `vms`, one file per noun."""
