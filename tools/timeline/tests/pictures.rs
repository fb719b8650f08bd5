//! What a picture shows of a run, and what it refuses to draw.

use expect_test::expect;
use timeline::Timeline;
use timeline::picture::{MAX_SVG_BYTES, Picture, Run, draw};

/// `main` spawns two tasks; the first wakes it, prints, and ends, the other is cancelled.
const ORDER: &str = r#"{
  "version": 1,
  "ends": 300,
  "tasks": [
    {"name":"main","line":32,"step":0,"begins":0,"ends":300,"outcome":"finished","spans":[
      {"is":"run","step":0,"from":0,"to":0},
      {"is":"wait","from":0,"to":200,"on":[{"what":"join","call":"payment","line":13,"through":[33]}]},
      {"is":"run","step":4,"from":200,"to":200},
      {"is":"wait","from":200,"to":300,"on":[{"what":"sleep","call":"sleep","line":15}]},
      {"is":"run","step":5,"from":300,"to":300}
    ]},
    {"name":"pay","line":10,"by":0,"step":0,"begins":0,"ends":200,"outcome":"finished","spans":[
      {"is":"run","step":1,"from":0,"to":0},
      {"is":"wait","from":0,"to":200,"on":[{"what":"sleep","call":"sleep","line":21}]},
      {"is":"run","step":3,"from":200,"to":200}
    ]},
    {"name":"remind","line":11,"by":0,"step":0,"begins":0,"ends":200,"outcome":"cancelled","spans":[
      {"is":"run","step":2,"from":0,"to":0},
      {"is":"wait","from":0,"to":200,"on":[{"what":"sleep","call":"sleep","line":26}]}
    ]}
  ],
  "resources": [],
  "wakes": [
    {"step":2,"at":200,"task":1,"by":"clock"},
    {"step":3,"at":200,"task":0,"by":{"task":1}},
    {"step":4,"at":300,"task":0,"by":"clock"}
  ],
  "passed": [],
  "printed": [
    {"step":3,"at":200,"task":1,"line":22,"text":"paid <now>"},
    {"step":5,"at":300,"task":0,"line":16,"text":"shipped"}
  ]
}"#;

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
    expect![[r#"
        <svg class="course" width="100%" height="150" role="img" aria-labelledby="course-shop-order-t course-shop-order-d" data-lane="42">
        <title id="course-shop-order-t">How the tasks of shop/order move</title>
        <desc id="course-shop-order-d">3 tasks in 300 ms of virtual time. main: 0 to 300 ms, finished. pay: 0 to 200 ms, finished. remind: 0 to 200 ms, canceled.</desc>
        <defs><marker id="course-shop-order-a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="head" d="M0 0L8 4L0 8z"/></marker></defs>
        <line class="scale" x1="0" x2="100%" y1="126" y2="126"/>
        <line class="scale" x1="3%" x2="3%" y1="0" y2="130"/><text class="tick start" x="0" y="143">0</text>
        <line class="scale" x1="66.3%" x2="66.3%" y1="0" y2="130"/><text class="tick" x="66.3%" y="143">200 ms</text>
        <line class="scale" x1="99%" x2="99%" y1="0" y2="130"/><text class="tick end" x="100%" y="143">300 ms</text>
        <g class="wake" marker-end="url(#course-shop-order-a)">
        <line x1="65.3%" x2="65.3%" y1="66" y2="32"/>
        </g>
        <text class="name" x="0" y="12">main</text>
        <line class="wait" x1="2%" x2="66.3%" y1="30" y2="30"/><text class="what" x="34.2%" y="26">payment</text>
        <line class="wait" x1="68.3%" x2="98%" y1="30" y2="30"/><text class="what" x="83.2%" y="26">sleep</text>
        <rect class="run" x="0%" y="24" width="2%" height="12"/>
        <rect class="run" x="66.3%" y="24" width="2%" height="12"/>
        <rect class="run" x="98%" y="24" width="2%" height="12"/>
        <text class="name" x="0" y="54">pay</text>
        <line class="wait" x1="4%" x2="64.3%" y1="72" y2="72"/><text class="what" x="34.2%" y="68">sleep</text>
        <rect class="run" x="2%" y="66" width="2%" height="12"/>
        <rect class="run" x="64.3%" y="66" width="2%" height="12"/>
        <text class="name" x="0" y="96">remind<tspan class="end"> · canceled</tspan></text>
        <line class="idle" x1="2%" x2="4%" y1="114" y2="114"/>
        <line class="wait" x1="6%" x2="68.3%" y1="114" y2="114"/><text class="what" x="37.2%" y="110">sleep</text>
        <rect class="run" x="4%" y="108" width="2%" height="12"/>
        <text class="stop" x="68.3%" y="121">×</text>
        <text class="print" x="65.3%" y="63">1</text>
        <text class="print end" x="99%" y="21">2</text>
        </svg>
    "#]].assert_eq(&svg);
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
    expect![[r#"
        <li data-x="0.0 66.3" data-t="0" data-l="12 32">0: <i>main</i> starts, spawns <i>pay</i> and <i>remind</i>, and waits for payment (line 13).</li>
        <li data-x="2.0 64.3" data-t="1" data-l="20">0: <i>pay</i> starts and waits for sleep (line 21).</li>
        <li data-x="4.0 68.3" data-t="2" data-l="25">0: <i>remind</i> starts and waits for sleep (line 26).</li>
        <li data-x="64.3 66.3" data-t="1" data-l="21">200 ms: <i>pay</i> is woken by the clock, prints 1: <samp>paid &lt;now&gt;</samp>, and finishes.</li>
        <li data-x="66.3 98.0" data-t="0" data-l="14">200 ms: <i>main</i> is woken by <i>pay</i> and waits for sleep (line 15).</li>
        <li data-x="68.3 68.3" data-t="2" data-l="25">200 ms: <i>remind</i> is canceled: it's dropped while it waits for sleep.</li>
        <li data-x="98.0 100.0" data-t="0" data-l="15">300 ms: <i>main</i> is woken by the clock, prints 2: <samp>shipped</samp>, and finishes.</li>
        <b>1</b> at 200 ms, pay: <samp>paid &lt;now&gt;</samp>
        <b>2</b> at 300 ms, main: <samp>shipped</samp>
        3 tasks run, in 300 ms of virtual time; <i>remind</i> is canceled at 200 ms.
    "#]].assert_eq(&format!("{}\n", [words, printed, vec![summary]].concat().join("\n")));
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
    expect![[r#"
        0: <i>main</i> starts and waits for tick.</li>
        100 ms: <i>main</i> is woken, prints 1: <samp>tick 1</samp>, and waits for tick.</li>
        200 ms: the last step repeats 3 more times, every 100 ms.</li>
        500 ms: <i>main</i> is woken, prints 5: <samp>tick 5</samp>, and finishes.</li>

        0: <i>main</i> starts and waits for tick.</li>
        100 ms: <i>main</i> is woken and waits for tick.</li>
        200 ms: the last step repeats twice.</li>
        400 ms: <i>main</i> is woken and finishes.</li>

        0: <i>main</i> starts and waits for tick.</li>
        100 ms: <i>main</i> is woken and waits for tick.</li>
        200 ms: <i>main</i> is woken and finishes.</li>"#]]
    .assert_eq(&all.join("\n\n"));
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
