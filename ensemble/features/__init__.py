"""What a member may know at decision time, one file a family."""
