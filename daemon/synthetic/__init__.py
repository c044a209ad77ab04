"""Made-up markets as folders that can be run."""
