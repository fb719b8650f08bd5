//! The solutions with their tests: without arguments it lists them (`TASK SOLUTION TEST`, a line each), and with these three it
//! runs one test, whose panic is the failure.
// A solution and its task make the name of a module.
#![allow(non_snake_case)]
// Solutions are other people's code, and the wrong ones are wrong.
#![allow(dead_code, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/candidates.rs"));

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let each = CANDIDATES
        .iter()
        .flat_map(|it| it.tests.iter().map(move |test| (it, test)));
    for (candidate, test) in each {
        match &arguments[..] {
            [] => println!("{} {} {}", candidate.task, candidate.solution, test.name),
            [task, solution, name] => {
                if candidate.task == task && candidate.solution == solution && test.name == name {
                    (test.run)();
                }
            }
            _ => panic!("usage: candidate [TASK SOLUTION TEST]"),
        }
    }
}
