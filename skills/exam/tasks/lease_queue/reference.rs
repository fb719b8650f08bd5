//! One statement claims a job and counts the attempt, whose number is what `complete` and `fail` check.

use sqlx::SqlitePool;

pub struct Queue {
    pub pool: SqlitePool,
    pub worker: String,
    pub lease: i64,
    pub attempts: i64,
}

pub struct Job {
    pub id: i64,
    /// Which claim of the job this is: a later one has another number.
    pub attempt: i64,
}

impl Queue {
    /// The first job that's free. Every attempt counts, also one that crashes.
    pub async fn claim(&self, now: i64) -> sqlx::Result<Option<Job>> {
        let update = "UPDATE jobs SET attempts = attempts + 1, worker = ?, free_at = ?
            WHERE id = (SELECT id FROM jobs WHERE result IS NULL AND attempts < ? AND free_at <= ?
                ORDER BY id LIMIT 1)
            RETURNING id, attempts";
        let update = sqlx::query_as(update)
            .bind(&self.worker)
            .bind(now + self.lease);
        let update = update.bind(self.attempts).bind(now);
        let claimed = update.fetch_optional(&self.pool).await?;
        Ok(claimed.map(|(id, attempt)| Job { id, attempt }))
    }

    /// Returns false, without an effect, if the job was claimed again or is complete.
    pub async fn complete(&self, job: &Job, result: &str) -> sqlx::Result<bool> {
        let update = "UPDATE jobs SET result = ?
            WHERE id = ? AND attempts = ? AND worker IS NOT NULL AND result IS NULL";
        let update = sqlx::query(update)
            .bind(result)
            .bind(job.id)
            .bind(job.attempt);
        Ok(update.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// The same, but the job is free again.
    pub async fn fail(&self, job: &Job) -> sqlx::Result<bool> {
        let update = "UPDATE jobs SET worker = NULL, free_at = 0
            WHERE id = ? AND attempts = ? AND worker IS NOT NULL AND result IS NULL";
        let update = sqlx::query(update).bind(job.id).bind(job.attempt);
        Ok(update.execute(&self.pool).await?.rows_affected() == 1)
    }
}
