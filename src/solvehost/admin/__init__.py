"""The sysadmin's tools: authorize, check, jobs, gc."""
