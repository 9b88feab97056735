//! Reads history: a day from samples, more from hours.

use jiff::Timestamp;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::history::{History, Point, Range, Uptime, share};

/// Seconds of one point: so many that a chart has fewer than three hundred.
fn step_s(range: Range) -> u32 {
    match range {
        Range::Day => 5 * 60,
        Range::Week => 3_600,
        Range::Month => 4 * 3_600,
        Range::Quarter => 12 * 3_600,
    }
}

pub async fn history(
    client: &Client,
    database: Uuid,
    record: Uuid,
    range: Range,
) -> Result<History, tokio_postgres::Error> {
    let step_s = step_s(range);
    let length = range.length().as_secs_f64();
    let from = match range {
        Range::Day => {
            "SELECT at, 1 AS probes, (latency_ms IS NULL)::int AS failures, coalesce(latency_ms, 0)::float8 AS latency_sum_ms, \
                    coalesce(latency_ms, 0)::float4 AS latency_max_ms \
               FROM insightpulse.sample"
        }
        Range::Week | Range::Month | Range::Quarter => {
            "SELECT hour AS at, probes, failures, latency_sum_ms, latency_max_ms FROM insightpulse.rollup"
        }
    };
    let column = if range == Range::Day { "at" } else { "hour" };
    let rows = client
        .query(
            &format!(
                "SELECT extract(epoch FROM date_bin(make_interval(secs => $3), at, timestamptz 'epoch'))::float8 AS begun, \
                        sum(probes)::int, sum(failures)::int, sum(latency_sum_ms), max(latency_max_ms)::float8 \
                   FROM ({from} WHERE database = $1 AND record = $2 AND {column} > now() - make_interval(secs => $4)) AS past \
               GROUP BY 1 ORDER BY 1"
            ),
            &[&database, &record, &f64::from(step_s), &length],
        )
        .await?;
    let points = rows.iter().map(|row| {
        let (begun, probes, failures): (f64, i32, i32) = (row.get(0), row.get(1), row.get(2));
        let (sum, most): (f64, f64) = (row.get(3), row.get(4));
        let answered = probes - failures;
        let rounded = |ms: f64| (ms * 1e3).round() / 1e3;
        Point {
            at: Timestamp::from_second(begun as i64).unwrap_or(Timestamp::UNIX_EPOCH),
            probes: probes.unsigned_abs(),
            failures: failures.unsigned_abs(),
            latency_ms: (answered > 0).then(|| rounded(sum / f64::from(answered))),
            latency_max_ms: (answered > 0).then(|| rounded(most)),
        }
    });
    Ok(History {
        step_s,
        points: points.collect(),
        uptime: uptime(client, database, record).await?,
    })
}

async fn uptime(client: &Client, database: Uuid, record: Uuid) -> Result<Vec<Uptime>, tokio_postgres::Error> {
    let lengths = Range::ALL.map(|range| range.length().as_secs_f64());
    let rows = client
        .query(
            "SELECT coalesce(sum(up_s), 0), coalesce(sum(observed_s), 0) \
               FROM unnest($3::float8[]) WITH ORDINALITY AS asked(length, place) \
          LEFT JOIN insightpulse.rollup \
                 ON database = $1 AND record = $2 AND hour > now() - make_interval(secs => length) \
           GROUP BY place ORDER BY place",
            &[&database, &record, &lengths.as_slice()],
        )
        .await?;
    Ok(Range::ALL
        .into_iter()
        .zip(&rows)
        .map(|(range, row)| Uptime {
            range,
            share: share(row.get(0), row.get(1)),
        })
        .collect())
}
