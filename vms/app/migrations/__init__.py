"""The schema of the centre's database, step by step (Alembic)."""
