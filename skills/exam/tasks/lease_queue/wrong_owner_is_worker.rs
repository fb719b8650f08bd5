//! Fails: a_late_worker_changes_nothing, a_late_failure_frees_nothing
//! The job was claimed again, but by the same process.

use sqlx::SqlitePool;

pub struct Queue {
    pub pool: SqlitePool,
    pub worker: String,
    pub lease: i64,
    pub attempts: i64,
}

pub struct Job {
    pub id: i64,
}

impl Queue {
    /// The first job that's free. Every attempt counts, also one that crashes.
    pub async fn claim(&self, now: i64) -> sqlx::Result<Option<Job>> {
        let update = "UPDATE jobs SET attempts = attempts + 1, worker = ?, free_at = ?
            WHERE id = (SELECT id FROM jobs WHERE result IS NULL AND attempts < ? AND free_at <= ?
                ORDER BY id LIMIT 1)
            RETURNING id";
        let update = sqlx::query_scalar(update)
            .bind(&self.worker)
            .bind(now + self.lease);
        let update = update.bind(self.attempts).bind(now);
        let claimed = update.fetch_optional(&self.pool).await?;
        Ok(claimed.map(|id| Job { id }))
    }

    /// Returns false, without an effect, if the job was claimed again or is complete.
    pub async fn complete(&self, job: &Job, result: &str) -> sqlx::Result<bool> {
        let update = "UPDATE jobs SET result = ?
            WHERE id = ? AND worker = ? AND result IS NULL";
        let update = sqlx::query(update)
            .bind(result)
            .bind(job.id)
            .bind(&self.worker);
        Ok(update.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// The same, but the job is free again.
    pub async fn fail(&self, job: &Job) -> sqlx::Result<bool> {
        let update = "UPDATE jobs SET worker = NULL, free_at = 0
            WHERE id = ? AND worker = ? AND result IS NULL";
        let update = sqlx::query(update).bind(job.id).bind(&self.worker);
        Ok(update.execute(&self.pool).await?.rows_affected() == 1)
    }
}
