//! What a picture shows of a run, and what it refuses to draw.

use expect_test::{expect, expect_file};
use timeline::Timeline;
use timeline::picture::{MAX_SVG_BYTES, Picture, Run, draw};

/// `main` spawns two tasks; the first wakes it, prints, and ends, the other is cancelled.
const ORDER: &str = include_str!("pictures/order.json");

fn pictures(jsons: &[&str]) -> Result<Vec<Picture>, String> {
    let timelines = jsons
        .iter()
        .map(|json| Timeline::parse(json).expect("a timeline"));
    let timelines: Vec<_> = timelines.collect();
    let run = |timeline| Run {
        name: "shop/order",
        timeline,
        shown_line: &|line| line - 1,
    };
    draw(&timelines.iter().map(run).collect::<Vec<_>>())
}

fn picture(json: &str) -> Picture {
    pictures(&[json]).expect("a picture").remove(0)
}

/// A lane for each task, with its polls, its waits, their labels, and how it ended; an arrow from the task that wakes to
/// the one that is woken, but none from the clock; the numbers of the printed lines; and a title and a description for
/// screen readers.
#[test]
fn each_task_has_a_lane_and_each_wakeup_by_a_task_an_arrow() {
    let svg = picture(ORDER).svg;
    expect_file!["pictures/order.svg"].assert_eq(&svg);
    // A blank line would end the block of HTML on a page.
    assert!(svg.lines().all(|line| !line.trim().is_empty()));
}

#[test]
fn the_run_is_described_step_by_step_with_the_lines_on_the_page() {
    let Picture {
        words,
        printed,
        summary,
        ..
    } = picture(ORDER);
    expect_file!["pictures/order.txt"].assert_eq(&format!(
        "{}\n",
        [words, printed, vec![summary]].concat().join("\n")
    ));
}

/// A run of `main` alone, which wakes at these times, prints if `prints`, and sleeps again.
fn ticking(times: &[u32], prints: bool) -> String {
    let (mut spans, mut printed, mut from) = (String::new(), Vec::new(), 0);
    for (step, at) in (1..).zip(times) {
        spans += &format!(
            r#",{{"is":"wait","from":{from},"to":{at},"on":[{{"what":"interval","call":"tick"}}]}},
            {{"is":"run","step":{step},"from":{at},"to":{at}}}"#
        );
        if prints {
            printed.push(format!(
                r#"{{"step":{step},"at":{at},"task":0,"line":3,"text":"tick {step}"}}"#
            ));
        }
        from = *at;
    }
    format!(
        r#"{{"version":1,"ends":{from},"resources":[],"wakes":[],"passed":[],"printed":[{}],"tasks":[
        {{"name":"main","step":0,"begins":0,"ends":{from},"outcome":"finished","spans":[
        {{"is":"run","step":0,"from":0,"to":0}}{spans}]}}]}}"#,
        printed.join(",")
    )
}

#[test]
fn steps_that_repeat_are_one_item() {
    let words = |times: &[u32], prints| {
        let words = picture(&ticking(times, prints)).words;
        let text = |item: &String| item.split_once('>').map(|(_, text)| text.to_owned());
        words.iter().filter_map(text).collect::<Vec<_>>().join("\n")
    };
    let all = [
        words(&[100, 200, 300, 400, 500], true),
        words(&[100, 200, 350, 400], false),
        words(&[100, 200], false),
    ];
    expect_file!["pictures/repeats.txt"].assert_eq(&all.join("\n\n"));
}

#[test]
fn two_runs_have_one_scale() {
    let ticks = |picture: &Picture| -> Vec<String> {
        let ticks = picture.svg.lines().filter(|it| it.contains("class=\"tick"));
        ticks.map(str::to_owned).collect()
    };
    let both = pictures(&[ORDER, &ORDER.replace("300", "900")]).expect("pictures");
    assert_eq!(ticks(&both[0]), ticks(&both[1]));
    assert_ne!(ticks(&both[0]), ticks(&picture(ORDER)));
}

#[test]
fn a_long_wait_is_compressed_and_marked() {
    let long = picture(&ORDER.replace("300", "7200000"));
    assert!(long.compressed && !picture(ORDER).compressed);
    assert!(long.svg.contains("class=\"cut\"") && long.svg.contains(">2 h<"));
}

/// A run in which `main` spawns tasks with these names and ends, which sleep.
fn many(tasks: impl IntoIterator<Item = (String, u32)>) -> String {
    let tasks: Vec<_> = tasks.into_iter().collect();
    let last = tasks.last().map_or(0, |(_, ends)| *ends);
    let mut json = format!(
        r#"{{"version":1,"ends":{last},"resources":[],"wakes":[],"passed":[],"printed":[],"tasks":[
        {{"name":"main","step":0,"begins":0,"ends":{last},"outcome":"left","spans":[
        {{"is":"run","step":0,"from":0,"to":0}},{{"is":"wait","from":0,"to":{last}}}]}}"#
    );
    for (index, (name, ends)) in tasks.iter().enumerate() {
        let (first, second) = (1 + index, 1 + tasks.len() + index);
        json += &format!(
            r#",{{"name":"{name}","by":0,"step":0,"begins":0,"ends":{ends},"outcome":"finished","spans":[
            {{"is":"run","step":{first},"from":0,"to":0}},
            {{"is":"wait","from":0,"to":{ends},"on":[{{"what":"sleep"}}]}},
            {{"is":"run","step":{second},"from":{ends},"to":{ends}}}]}}"#
        );
    }
    json + "]}"
}

#[test]
fn tasks_that_are_alike_share_a_lane() {
    let Picture { svg, words, .. } = picture(&many((0..100).map(|_| ("render".to_owned(), 100))));
    assert_eq!(svg.matches("class=\"name\"").count(), 6);
    assert!(svg.contains("… 96 more, like these") && svg.len() < MAX_SVG_BYTES / 3);
    assert!(
        words
            .iter()
            .any(|it| it.contains("96 more, like these: a task starts 96 times."))
    );
}

#[test]
fn a_run_that_is_too_large_is_refused() {
    let error = |run: &str| pictures(&[run]).expect_err("it is too large");
    expect!["shop/order: a picture has room for 16 lanes, and this run has 21, although alike tasks share one; let the listing spawn fewer tasks"].assert_eq(&error(&many(
        (0..20).map(|task| (format!("task_{task}"), 100)),
    )));
    let moments = |count| many((1..=count).map(|index| ("render".to_owned(), index * 100)));
    assert!(pictures(&[&moments(8)]).is_ok());
    expect!["something happens at 81 different times, and a picture can tell 60 apart; let the listing do less"].assert_eq(&error(&moments(80)));
}

/// Where the polls in a lane start and end, in percent.
fn polls(svg: &str, lane: usize) -> Vec<(f64, f64)> {
    let y = format!(" y=\"{}\"", lane * 42 + 24);
    let polls = svg
        .lines()
        .filter(|it| it.starts_with("<rect") && it.contains(&y));
    let value = |rect: &str, name: &str| -> f64 {
        let (_, rest) = rect.split_once(&format!(" {name}=\"")).unwrap();
        rest.split('%').next().unwrap().parse().unwrap()
    };
    polls
        .map(|it| (value(it, "x"), value(it, "x") + value(it, "width")))
        .collect()
}

#[test]
fn polls_at_one_moment_are_side_by_side_and_time_is_drawn_to_scale() {
    let svg = picture(ORDER).svg;
    let [main, pay, remind] = [0, 1, 2].map(|lane| polls(&svg, lane));
    assert_eq!([main.len(), pay.len(), remind.len()], [3, 2, 1]);
    assert!(main[0].1 <= pay[0].0 && pay[0].1 <= remind[0].0);
    assert!(pay[1].1 <= main[1].0 && remind[0].1 < pay[1].0);
    // The whole width is used.
    assert_eq!((main[0].0, main[2].1), (0.0, 100.0));
    // 200 ms and 100 ms, apart from the minimum width of each.
    let (first, second) = (pay[1].0 - remind[0].1, main[2].0 - main[1].1);
    assert!((first / second - 2.0).abs() < 0.1, "{first} {second}");
}
