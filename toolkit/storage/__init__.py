"""The half that speaks SQL: it asks the database and hands over Arrow tables; it never sees pandas."""
