"""Plans to controllers, nothing half done: drivers, the last gate, the journal, and who goes first."""
