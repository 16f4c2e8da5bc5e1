"""The service under load, beside limits that are measured in the same run."""
