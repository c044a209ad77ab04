"""The search for hyper-parameters, every trial of it in the ledger."""
