-- Who is paired, or was, and the code that pairs the next: sealed by the sidecars, who read them alone.
CREATE TABLE pairing (
    database uuid PRIMARY KEY,
    sealed   text NOT NULL
);
CREATE TABLE pairing_code (
    one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    id      uuid NOT NULL,
    sealed  text NOT NULL,
    -- Who has used it: Odoo runs a request again, after a serialization failure.
    request text,
    used_at timestamptz
);
