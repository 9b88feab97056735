//! Who is paired, for sidecars that have no directory together. What is here is sealed text to the store.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Store, StoreError, in_time};

impl Store {
    /// What there is of each database.
    pub async fn pairings(&self) -> Result<HashMap<Uuid, String>, StoreError> {
        self.prepare().await?;
        let client = self.pool.get().await?;
        let rows = in_time(client.query("SELECT database, sealed FROM insightpulse.pairing", &[])).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Puts this in the place of what was read; what somebody else has changed meanwhile stays.
    pub async fn put_pairing(
        &self,
        database: Uuid,
        sealed: &str,
        instead_of: Option<&str>,
    ) -> Result<(), StoreError> {
        let client = self.pool.get().await?;
        let put = "INSERT INTO insightpulse.pairing AS known VALUES ($1, $2) \
                   ON CONFLICT (database) DO UPDATE SET sealed = excluded.sealed WHERE known.sealed = $3";
        in_time(client.execute(put, &[&database, &sealed, &instead_of]))
            .await
            .map(drop)
    }

    /// Makes this the one code; the one before is void.
    pub async fn put_pairing_code(&self, sealed: &str) -> Result<(), StoreError> {
        let client = self.pool.get().await?;
        let put = "INSERT INTO insightpulse.pairing_code (sealed) VALUES ($1) \
                   ON CONFLICT (one_row) DO UPDATE SET sealed = excluded.sealed, request = NULL, used_at = NULL";
        in_time(client.execute(put, &[&sealed])).await.map(drop)
    }

    pub async fn pairing_code(&self) -> Result<Option<String>, StoreError> {
        let client = self.pool.get().await?;
        let row = in_time(client.query_opt("SELECT sealed FROM insightpulse.pairing_code", &[])).await?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Uses the code up for this request, which may come again for some seconds; whether it could.
    pub async fn use_pairing_code(
        &self,
        sealed: &str,
        request: &str,
        repeated_s: f64,
    ) -> Result<bool, StoreError> {
        let client = self.pool.get().await?;
        let used = "UPDATE insightpulse.pairing_code SET request = $2, used_at = coalesce(used_at, now()) \
                     WHERE sealed = $1 \
                       AND (request IS NULL OR request = $2 AND used_at > now() - make_interval(secs => $3))";
        let rows = in_time(client.execute(used, &[&sealed, &request, &repeated_s])).await?;
        Ok(rows == 1)
    }
}
