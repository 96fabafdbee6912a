"""A session that lasts: kept, resumed, corrected; knows no terminal."""
