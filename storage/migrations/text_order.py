"""One order of texts everywhere: byte by byte, as SQLite has it, whatever language a server was set up for."""

from collections import defaultdict

from sqlalchemy import Connection, bindparam, text

from storage.schema import METADATA

_OTHERWISE = text("""
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name IN :ours AND data_type = 'text'
      AND collation_name IS DISTINCT FROM 'C'
""").bindparams(bindparam("ours", expanding=True))


def order_texts_by_bytes(conn: Connection) -> None:
    """Every text column of ours on a server is compared and sorted byte by byte; SQLite does so already."""
    if conn.dialect.name != "postgresql":
        return
    changes = defaultdict(list)
    for table, column in conn.execute(_OTHERWISE, {"ours": list(METADATA.tables)}):
        changes[table].append(f'ALTER COLUMN {column} TYPE text COLLATE "C"')
    for table, columns in changes.items():
        conn.exec_driver_sql(f"ALTER TABLE {table} {', '.join(columns)}")
