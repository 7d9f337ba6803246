"""The night job: new counts → quality → demand → plans of the day → gates → store, district by district."""
