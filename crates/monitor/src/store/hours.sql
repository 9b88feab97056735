-- Old hours are looked for each hour. They are written in their order, and so need a tiny index only.
CREATE INDEX rollup_hour ON rollup USING brin (hour);
