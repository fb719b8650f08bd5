//! Fails: no_job_is_claimed_twice, a_late_worker_changes_nothing, a_late_failure_frees_nothing, a_job_that_crashes_is_given_up, complete_is_final
//! The program of the task: two statements for a claim, the worker as its owner, and crashes that don't count.

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
        let select = "SELECT id FROM jobs
            WHERE result IS NULL AND attempts<? AND free_at<=? ORDER BY id LIMIT 1";
        let select = sqlx::query_scalar(select).bind(self.attempts).bind(now);
        let Some(id) = select.fetch_optional(&self.pool).await? else {
            return Ok(None);
        };
        let update = sqlx::query("UPDATE jobs SET worker=?, free_at=? WHERE id=?");
        let update = update.bind(&self.worker).bind(now + self.lease).bind(id);
        update.execute(&self.pool).await?;
        Ok(Some(Job { id }))
    }

    /// Returns false, without an effect, if the job was claimed again or is complete.
    pub async fn complete(&self, job: &Job, result: &str) -> sqlx::Result<bool> {
        let update = "UPDATE jobs SET result=? WHERE id=? AND worker=?";
        let update = sqlx::query(update)
            .bind(result)
            .bind(job.id)
            .bind(&self.worker);
        Ok(update.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// The same, but the job is free again.
    pub async fn fail(&self, job: &Job) -> sqlx::Result<bool> {
        let update = "UPDATE jobs SET attempts=attempts+1, free_at=0
            WHERE id=? AND worker=?";
        let update = sqlx::query(update).bind(job.id).bind(&self.worker);
        Ok(update.execute(&self.pool).await?.rows_affected() == 1)
    }
}
