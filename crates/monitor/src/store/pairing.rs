//! Who is paired, for sidecars that have no directory together. What is here is sealed text to the store.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{Store, StoreError, in_time};

impl Store {
    /// What there is of each database.
    pub async fn pairings(&self) -> Result<HashMap<Uuid, String>, StoreError> {
        let rows = self
            .ask("SELECT database, sealed FROM insightpulse.pairing", &[])
            .await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Puts this in the place of what was read; says no where somebody else has changed that meanwhile.
    pub async fn put_pairing(
        &self,
        database: Uuid,
        sealed: &str,
        instead_of: Option<&str>,
    ) -> Result<bool, StoreError> {
        let put = "INSERT INTO insightpulse.pairing AS known VALUES ($1, $2) \
                   ON CONFLICT (database) DO UPDATE SET sealed = excluded.sealed WHERE known.sealed = $3 \
                   RETURNING true";
        let rows = self.ask(put, &[&database, &sealed, &instead_of]).await?;
        Ok(!rows.is_empty())
    }

    /// Makes this the one code: the one before is void, and this one, if it is there, stays as it is.
    pub async fn put_pairing_code(&self, id: Uuid, sealed: &str) -> Result<(), StoreError> {
        let put = "INSERT INTO insightpulse.pairing_code AS known (id, sealed) VALUES ($1, $2) \
                   ON CONFLICT (one_row) DO UPDATE \
                           SET id = excluded.id, sealed = excluded.sealed, request = NULL, used_at = NULL \
                         WHERE known.id <> excluded.id";
        self.ask(put, &[&id, &sealed]).await.map(drop)
    }

    /// The newest code, used or not.
    pub async fn pairing_code(&self) -> Result<Option<String>, StoreError> {
        let rows = self
            .ask("SELECT sealed FROM insightpulse.pairing_code", &[])
            .await?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// Uses the code up for this request, which may come again for some seconds; whether it could.
    pub async fn use_pairing_code(
        &self,
        id: Uuid,
        request: &str,
        repeated_s: f64,
    ) -> Result<bool, StoreError> {
        let used = "UPDATE insightpulse.pairing_code SET request = $2, used_at = coalesce(used_at, now()) \
                     WHERE id = $1 \
                       AND (request IS NULL OR request = $2 AND used_at > now() - make_interval(secs => $3)) \
                     RETURNING true";
        let rows = self.ask(used, &[&id, &request, &repeated_s]).await?;
        Ok(!rows.is_empty())
    }

    /// Asks what needs the tables, which somebody else makes.
    async fn ask(&self, question: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        if !self.is_ready.load(Ordering::Relaxed) {
            return Err(StoreError::NotReady);
        }
        let client = self.pool.get().await?;
        let answer = in_time(client.query(question, values)).await;
        answer.inspect_err(|error| self.look_for_tables(error))
    }
}
