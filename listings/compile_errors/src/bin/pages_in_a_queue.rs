//! Visit pages from a queue: each page once, and at most four at a time.

// ANCHOR: crawl
use std::collections::{HashSet, VecDeque};
use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_util::task::JoinMap;

const MOST_PAGES: usize = 1000;
const PATIENCE: Duration = Duration::from_secs(10);

/// Visits the pages that `start` leads to, each once. A page that
/// panics, fails, or doesn't answer costs only its own links.
///
/// Dropping this future aborts the running requests, and loses the
/// report.
async fn crawl(site: Arc<Site>, start: u32) -> Report {
    let mut report = Report::default();
    let mut seen = HashSet::from([start]);
    let mut queue = VecDeque::from([start]);
    let mut tasks = JoinMap::new();
    loop {
        while tasks.len() < 4
            && let Some(page) = queue.pop_front()
        {
            let site = Arc::clone(&site);
            tasks.spawn(page, async move {
                timeout(PATIENCE, site.links(page)).await
            });
        }
        let Some((page, joined)) = tasks.join_next().await else {
            return report;
        };
        for link in report.add(page, joined) {
            if seen.len() == MOST_PAGES && !seen.contains(&link) {
                report.left_out += 1;
            } else if seen.insert(link) {
                queue.push_back(link);
            }
        }
    }
}
// ANCHOR_END: crawl

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::{
    task::JoinError,
    time::{Instant, error::Elapsed, sleep},
};

/// What a task returns: from the inside, the site's answer, the
/// timeout's, and the task's own.
type Joined =
    Result<Result<Result<Vec<u32>, NotFound>, Elapsed>, JoinError>;

/// What became of each page.
#[derive(Default)]
struct Report {
    visited: Vec<u32>,
    not_found: Vec<u32>,
    too_slow: Vec<u32>,
    panicked: Vec<(u32, JoinError)>,
    /// Links to pages for which there was no room.
    left_out: usize,
}

impl Report {
    /// Returns the page's links.
    fn add(&mut self, page: u32, joined: Joined) -> Vec<u32> {
        match joined {
            Ok(Ok(Ok(links))) => {
                self.visited.push(page);
                return links;
            }
            Ok(Ok(Err(NotFound))) => self.not_found.push(page),
            Ok(Err(_elapsed)) => self.too_slow.push(page),
            Err(error) => self.panicked.push((page, error)),
        }
        Vec::new()
    }
}

struct NotFound;

/// A site whose page 0 links to all its pages, and each of them back.
struct Site {
    takes: Duration,
    pages: u32,
    missing: Vec<u32>,
    damaged: Vec<u32>,
    silent: Vec<u32>,
    open: AtomicUsize,
    most_open: AtomicUsize,
    requests: AtomicUsize,
}

/// A request that is open, until it is dropped.
struct Request<'a>(&'a AtomicUsize);

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Site {
    fn new(pages: u32) -> Self {
        Self {
            takes: Duration::from_millis(100),
            pages,
            missing: Vec::new(),
            damaged: Vec::new(),
            silent: Vec::new(),
            open: 0.into(),
            most_open: 0.into(),
            requests: 0.into(),
        }
    }

    async fn links(&self, page: u32) -> Result<Vec<u32>, NotFound> {
        let open = 1 + self.open.fetch_add(1, Ordering::SeqCst);
        self.most_open.fetch_max(open, Ordering::SeqCst);
        self.requests.fetch_add(1, Ordering::SeqCst);
        let _request = Request(&self.open);
        if self.silent.contains(&page) {
            std::future::pending::<()>().await;
        }
        sleep(self.takes).await;
        assert!(
            !self.damaged.contains(&page),
            "page {page} is damaged"
        );
        if self.missing.contains(&page) {
            return Err(NotFound);
        }
        Ok(match page {
            0 => (0..self.pages).collect(),
            _ if page < self.pages => vec![0],
            // A calendar without an end: each day links to the next.
            _ => vec![page + 1],
        })
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let mut site = Site::new(9);
    site.missing.push(5);
    let site = Arc::new(site);
    let start = Instant::now();
    let report = crawl(Arc::clone(&site), 0).await;

    let took = start.elapsed().as_millis();
    println!("{took} ms: {} pages visited", report.visited.len());
    println!("not found: {:?}", report.not_found);
    let most_open = site.most_open.load(Ordering::SeqCst);
    println!("requests open at a time: {most_open}");
}

#[cfg(test)]
mod tests {
    use hazards::{
        HOUR, at_every_poll, no_task_left, some_panic, within,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn again_each_page_is_requested_once_although_links_lead_back()
     {
        let site = Arc::new(Site::new(9));
        let report = within(HOUR, crawl(Arc::clone(&site), 0)).await;
        assert_eq!(report.visited.len(), 9);
        assert_eq!(site.requests.load(Ordering::SeqCst), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_a_page_with_a_thousand_links_opens_four_requests()
    {
        let site = Arc::new(Site::new(1000));
        let report = within(HOUR, crawl(Arc::clone(&site), 0)).await;
        assert_eq!(report.visited.len(), 1000);
        assert_eq!(site.most_open.load(Ordering::SeqCst), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_a_page_is_reported_and_costs_no_other() {
        for missing in [vec![0], vec![1], vec![8], (1..9).collect()] {
            let mut site = Site::new(9);
            site.missing = missing.clone();
            let mut report = within(HOUR, crawl(site.into(), 0)).await;
            report.not_found.sort();
            assert_eq!(report.not_found, missing);
            let visited =
                if missing[0] == 0 { 0 } else { 9 - missing.len() };
            assert_eq!(report.visited.len(), visited);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_costs_its_own_page_and_no_place() {
        for panics in some_panic(8) {
            let mut site = Site::new(9);
            // Without the first page, there are no others.
            site.damaged =
                panics.iter().map(|&it| 1 + it as u32).collect();
            let report = within(HOUR, crawl(site.into(), 0)).await;
            assert_eq!(report.visited.len(), 9 - panics.len());
            assert_eq!(report.panicked.len(), panics.len());
            for (page, error) in report.panicked {
                let message = format!("page {page} is damaged");
                assert!(error.to_string().contains(&message));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_every_place_holds_nobody_for_long() {
        let mut site = Site::new(30);
        site.silent = (1..6).collect(); // One more than there are places.
        let mut report = within(HOUR, crawl(site.into(), 0)).await;
        assert_eq!(report.visited.len(), 25);
        report.too_slow.sort();
        assert_eq!(report.too_slow, [1, 2, 3, 4, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_ends_every_task_and_request() {
        at_every_poll(async |cancel| {
            let site = Arc::new(Site::new(9));
            cancel.run(crawl(Arc::clone(&site), 0)).await;
            no_task_left().await;
            assert_eq!(site.open.load(Ordering::SeqCst), 0);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_aborts_the_requests() {
        let site = Arc::new(Site::new(9));
        let task = tokio::spawn(crawl(Arc::clone(&site), 0));
        sleep(Duration::from_millis(150)).await;
        task.abort();
        no_task_left().await;
        assert_eq!(site.open.load(Ordering::SeqCst), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_one_page_that_links_to_itself() {
        let site = Arc::new(Site::new(1));
        let report = within(HOUR, crawl(Arc::clone(&site), 0)).await;
        assert_eq!(report.visited, [0]);
        assert_eq!(site.requests.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_a_chain_without_an_end_is_left_at_the_limit() {
        let site = Arc::new(Site::new(1));
        let report = within(HOUR, crawl(site, 100)).await;
        assert_eq!(report.visited.len(), MOST_PAGES);
        assert_eq!(report.visited.last(), Some(&1099));
        assert_eq!(report.left_out, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_links_beyond_the_limit_are_counted() {
        let most = MOST_PAGES as u32;
        for (pages, left_out) in [(most, 0), (most + 7, 7)] {
            let site = Arc::new(Site::new(pages));
            let report = within(HOUR, crawl(site, 0)).await;
            assert_eq!(report.visited.len(), MOST_PAGES);
            assert_eq!(report.left_out, left_out);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_the_limit_holds() {
        let mut site = Site::new(200);
        site.takes = Duration::from_millis(1);
        let site = Arc::new(site);
        let crawl = tokio::spawn(crawl(Arc::clone(&site), 0));
        let report = crawl.await.expect("no panic");
        assert_eq!(report.visited.len(), 200);
        assert!(site.most_open.load(Ordering::SeqCst) <= 4);
    }
}
