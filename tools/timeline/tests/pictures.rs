//! What a picture shows of a run, and what it refuses to draw.

use std::fmt::Write as _;
use timeline::Timeline;
use timeline::picture::{LARGEST, Picture, Run, draw};

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

fn picture(json: &str) -> Result<Picture, String> {
    pictures(&[json]).map(|mut all| all.remove(0))
}

fn pictures(jsons: &[&str]) -> Result<Vec<Picture>, String> {
    let timelines: Vec<_> = jsons
        .iter()
        .map(|json| Timeline::parse(json).expect("a timeline"))
        .collect();
    let runs: Vec<_> = timelines
        .iter()
        .map(|timeline| Run {
            name: "shop/order",
            timeline,
            shown_line: &|line| line - 1,
        })
        .collect();
    draw(&runs)
}

#[track_caller]
fn assert_has(text: &str, part: &str) {
    assert!(text.contains(part), "`{part}` is missing in:\n{text}");
}

#[test]
fn each_task_has_a_lane_with_its_runs_and_waits() {
    let svg = picture(ORDER).unwrap().svg;
    assert_eq!(svg.matches("class=\"name\"").count(), 3);
    assert_eq!(svg.matches("class=\"run\"").count(), 6);
    assert_eq!(svg.matches("class=\"wait\"").count(), 4);
    // The second task was spawned, and ran after the first.
    assert_eq!(svg.matches("class=\"idle\"").count(), 1);
    for label in [">payment<", ">sleep<", ">0<", ">200 ms<", ">300 ms<"] {
        assert_has(&svg, label);
    }
}

#[test]
fn a_cancelled_task_is_cut_off_and_says_so_in_a_word() {
    let svg = picture(ORDER).unwrap().svg;
    assert_eq!(svg.matches("class=\"stop\"").count(), 1);
    assert_has(&svg, "remind<tspan class=\"end\"> · cancelled</tspan>");
}

#[test]
fn an_arrow_goes_from_the_lane_that_wakes_to_the_lane_that_goes_on() {
    let svg = picture(ORDER).unwrap().svg;
    let (_, arrows) = svg.split_once("<g class=\"wake\"").unwrap();
    let (arrows, _) = arrows.split_once("</g>").unwrap();
    // One: the clock needs none.
    assert_eq!(arrows.matches("<line").count(), 1);
    assert_has(arrows, "y1=\"66\" y2=\"32\"");
}

#[test]
fn printed_lines_are_numbered_and_their_text_is_no_markup() {
    let picture = picture(ORDER).unwrap();
    assert_has(&picture.svg, ">1</text>");
    assert_eq!(
        picture.printed,
        [
            "<b>1</b> at 200 ms, pay: <samp>paid &lt;now&gt;</samp>",
            "<b>2</b> at 300 ms, main: <samp>shipped</samp>",
        ]
    );
}

/// The words of each step, and the lines that it lights.
fn told(picture: &Picture) -> Vec<(String, String)> {
    let step = |item: &String| {
        let (_, rest) = item.split_once("data-l=\"").unwrap();
        let (lines, rest) = rest.split_once("\">").unwrap();
        let words = rest.replace("<i>", "").replace("</i>", "");
        (words.replace("</li>", ""), lines.to_owned())
    };
    picture.words.iter().map(step).collect()
}

#[test]
fn the_words_tell_the_run_step_by_step_with_the_lines_that_a_page_shows() {
    let told = told(&picture(ORDER).unwrap());
    let told: Vec<_> = told
        .iter()
        .map(|(words, lines)| (words.as_str(), lines.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (
                "0: main begins, spawns pay and remind, and waits for payment (line 13).",
                "12 32"
            ),
            ("0: pay begins and waits for sleep (line 21).", "20"),
            ("0: remind begins and waits for sleep (line 26).", "25"),
            (
                "200 ms: pay is woken by the clock, prints 1: <samp>paid &lt;now&gt;</samp>, and ends.",
                "21"
            ),
            (
                "200 ms: main is woken by pay and waits for sleep (line 15).",
                "14"
            ),
            (
                "200 ms: remind is cancelled, dropped while it waits for sleep.",
                "25"
            ),
            (
                "300 ms: main is woken by the clock, prints 2: <samp>shipped</samp>, and ends.",
                "15"
            ),
        ]
    );
}

#[test]
fn who_does_not_see_the_picture_hears_what_it_shows() {
    let svg = picture(ORDER).unwrap().svg;
    assert_has(
        &svg,
        "role=\"img\" aria-labelledby=\"course-shop-order-t course-shop-order-d\"",
    );
    assert_has(
        &svg,
        "<title id=\"course-shop-order-t\">How the tasks of shop/order move</title>",
    );
    assert_has(
        &svg,
        "3 tasks in 300 ms of virtual time. main: 0 to 300 ms, finished. pay: 0 to 200 ms, finished. \
         remind: 0 to 200 ms, cancelled.",
    );
}

#[test]
fn a_picture_is_one_block_of_html() {
    let svg = picture(ORDER).unwrap().svg;
    assert!(svg.lines().all(|line| !line.trim().is_empty()));
}

/// Where the ticks of these times stand.
fn ticks(svg: &str) -> Vec<(&str, &str)> {
    let ticks = svg.split("<text class=\"tick").skip(1);
    ticks
        .map(|tick| {
            let (_, x) = tick.split_once("x=\"").unwrap();
            let (x, rest) = x.split_once('"').unwrap();
            let (_, text) = rest.split_once('>').unwrap();
            (text.split('<').next().unwrap(), x)
        })
        .collect()
}

#[test]
fn two_runs_have_one_scale() {
    let longer = ORDER.replace("300", "900");
    let both = pictures(&[ORDER, &longer]).unwrap();
    assert_eq!(ticks(&both[0].svg), ticks(&both[1].svg));
    let alone = picture(ORDER).unwrap();
    assert_ne!(ticks(&both[0].svg), ticks(&alone.svg));
}

#[test]
fn a_long_wait_is_compressed_and_marked() {
    let long = ORDER.replace("300", "7200000");
    let picture = picture(&long).unwrap();
    assert!(picture.compressed);
    assert_has(&picture.svg, "class=\"cut\"");
    assert_has(&picture.svg, ">2 h<");
    assert!(!self::picture(ORDER).unwrap().compressed);
}

/// A run in which `main` spawns many tasks, each with a name and an end, in the order of these.
fn many(tasks: impl IntoIterator<Item = (String, u32)>) -> String {
    let tasks: Vec<_> = tasks.into_iter().collect();
    let last = tasks.last().map_or(0, |(_, ends)| *ends);
    let mut lanes = String::new();
    for (index, (name, ends)) in tasks.iter().enumerate() {
        let _ = write!(
            lanes,
            ",{{\"name\":\"{name}\",\"by\":0,\"step\":0,\"begins\":0,\"ends\":{ends},\"outcome\":\"finished\",\
             \"spans\":[{{\"is\":\"run\",\"step\":{},\"from\":0,\"to\":0}},\
             {{\"is\":\"wait\",\"from\":0,\"to\":{ends},\"on\":[{{\"what\":\"sleep\"}}]}},\
             {{\"is\":\"run\",\"step\":{},\"from\":{ends},\"to\":{ends}}}]}}",
            1 + index,
            1 + tasks.len() + index,
        );
    }
    format!(
        "{{\"version\":1,\"ends\":{last},\"tasks\":[{{\"name\":\"main\",\"step\":0,\"begins\":0,\"ends\":{last},\
         \"outcome\":\"left\",\"spans\":[{{\"is\":\"run\",\"step\":0,\"from\":0,\"to\":0}},\
         {{\"is\":\"wait\",\"from\":0,\"to\":{last}}}]}}{lanes}],\
         \"resources\":[],\"wakes\":[],\"passed\":[],\"printed\":[]}}"
    )
}

#[test]
fn tasks_that_are_alike_share_a_lane() {
    let run = many((0..100).map(|_| ("render".to_owned(), 100)));
    let picture = picture(&run).unwrap();
    assert_eq!(picture.svg.matches("class=\"name\"").count(), 6);
    assert_has(&picture.svg, "… 96 more, like these");
    assert_has(
        &picture.words.join("\n"),
        "96 more, like these: a task begins 96 times.",
    );
    assert!(picture.svg.len() < LARGEST / 3);
}

#[test]
fn a_run_with_too_many_different_tasks_is_refused() {
    let run = many((0..20).map(|index| (format!("task_{index}"), 100)));
    assert_eq!(
        picture(&run).unwrap_err(),
        "shop/order: a picture has room for 16 lanes, and this run has 21, although alike tasks share one; \
         let the listing spawn fewer tasks"
    );
}

#[test]
fn a_run_with_too_many_moments_is_refused() {
    let run = many((1..=8).map(|index| ("render".to_owned(), index * 100)));
    assert!(picture(&run).is_ok());
    let run = many((1..=80).map(|index| ("render".to_owned(), index * 100)));
    assert_eq!(
        picture(&run).unwrap_err(),
        "something happens at 81 different times, and a picture can tell 60 apart; let the listing do less"
    );
}

/// The places (from, to) of the runs in a lane, in percent.
fn runs(svg: &str, lane: usize) -> Vec<(f64, f64)> {
    let y = format!(" y=\"{}\"", lane * 42 + 24);
    let value = |rect: &str, name: &str| -> f64 {
        let (_, rest) = rect.split_once(&format!(" {name}=\"")).unwrap();
        rest.split('%').next().unwrap().parse().unwrap()
    };
    svg.split("<rect")
        .skip(1)
        .filter(|rect| rect.split("/>").next().unwrap().contains(&y))
        .map(|rect| (value(rect, "x"), value(rect, "x") + value(rect, "width")))
        .collect()
}

#[test]
fn runs_at_one_moment_stand_side_by_side_in_their_order() {
    let svg = picture(ORDER).unwrap().svg;
    let [main, pay, remind] = [0, 1, 2].map(|lane| runs(&svg, lane));
    assert_eq!([main.len(), pay.len(), remind.len()], [3, 2, 1]);
    assert!(main[0].1 <= pay[0].0 && pay[0].1 <= remind[0].0);
    assert!(pay[1].1 <= main[1].0 && remind[0].1 < pay[1].0);
    // The whole width is used.
    assert_eq!((main[0].0, main[2].1), (0.0, 100.0));
}

#[test]
fn time_is_drawn_to_scale() {
    let svg = picture(ORDER).unwrap().svg;
    let [main, remind] = [0, 2].map(|lane| runs(&svg, lane));
    let first = runs(&svg, 1)[1].0 - remind[0].1;
    let second = main[2].0 - main[1].1;
    // 200 ms and 100 ms, apart from what each gets at least.
    assert!((first / second - 2.0).abs() < 0.1, "{first} {second}");
}
