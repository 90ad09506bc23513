//! The run as a Chrome trace: open it in a trace viewer (`chrome://tracing`, Perfetto)
//! to see what ran beside what.
//!
//! Format: the JSON object form of the Trace Event Format, complete events (`"ph":"X"`)
//! with microseconds since the run began.

use std::time::Duration;

use serde_json::{Value, json};

/// One action from its start to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lap {
    /// What it worked on: `nats v2.10.24`.
    pub what: String,
    /// What it did: `building`.
    pub verb: String,
    /// How it ended: `built`; `running` if it has not.
    pub how: String,
    /// Start, since the run began.
    pub start: Duration,
    /// End, since the run began.
    pub end: Duration,
}

/// The trace of `laps`, in as many lanes as actions ran at the same time.
pub fn render_trace(laps: &[Lap]) -> String {
    let mut sorted: Vec<&Lap> = laps.iter().collect();
    sorted.sort_by_key(|lap| (lap.start, lap.end));
    let mut lanes = Vec::new();
    let mut events: Vec<Value> =
        sorted.into_iter().map(|lap| complete(lap, take_lane(&mut lanes, lap))).collect();
    events.extend((0..lanes.len()).map(lane_name));
    json!({ "displayTimeUnit": "ms", "traceEvents": events }).to_string()
}

/// The first lane that is free when `lap` starts; `lanes` holds when each becomes free.
fn take_lane(lanes: &mut Vec<Duration>, lap: &Lap) -> usize {
    let free = lanes.iter().position(|until| *until <= lap.start);
    let lane = free.unwrap_or_else(|| {
        lanes.push(Duration::ZERO);
        lanes.len() - 1
    });
    lanes[lane] = lap.end;
    lane
}

fn complete(lap: &Lap, lane: usize) -> Value {
    json!({
        "name": format!("{} {}", lap.verb, lap.what),
        "cat": lap.verb,
        "ph": "X",
        "ts": lap.start.as_micros() as u64,
        "dur": lap.end.saturating_sub(lap.start).as_micros() as u64,
        "pid": 1,
        "tid": lane + 1,
        "args": { "how": lap.how },
    })
}

fn lane_name(lane: usize) -> Value {
    json!({
        "name": "thread_name",
        "ph": "M",
        "pid": 1,
        "tid": lane + 1,
        "args": { "name": format!("slot {}", lane + 1) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lap(what: &str, start: u64, end: u64) -> Lap {
        Lap {
            what: what.into(),
            verb: "building".into(),
            how: "built".into(),
            start: Duration::from_millis(start),
            end: Duration::from_millis(end),
        }
    }

    #[test]
    fn actions_share_a_lane_only_one_after_the_other() {
        let trace = render_trace(&[lap("b v1", 5, 9), lap("a v1", 0, 10), lap("c v1", 9, 12)]);
        insta::assert_snapshot!(trace.replace("},{", "},\n{"), @r#"
        {"displayTimeUnit":"ms","traceEvents":[{"name":"building a v1","cat":"building","ph":"X","ts":0,"dur":10000,"pid":1,"tid":1,"args":{"how":"built"}},
        {"name":"building b v1","cat":"building","ph":"X","ts":5000,"dur":4000,"pid":1,"tid":2,"args":{"how":"built"}},
        {"name":"building c v1","cat":"building","ph":"X","ts":9000,"dur":3000,"pid":1,"tid":2,"args":{"how":"built"}},
        {"name":"thread_name","ph":"M","pid":1,"tid":1,"args":{"name":"slot 1"}},
        {"name":"thread_name","ph":"M","pid":1,"tid":2,"args":{"name":"slot 2"}}]}
        "#);
    }

    proptest! {
        #[test]
        fn no_two_actions_overlap_in_a_lane(times in prop::collection::vec((0..50_u64, 1..20_u64), 0..20)) {
            let laps: Vec<Lap> = times.iter().map(|(start, len)| lap("x", *start, start + len)).collect();
            let trace: Value = serde_json::from_str(&render_trace(&laps)).unwrap();
            let number = |event: &Value, key: &str| event[key].as_u64().unwrap();
            let events = trace["traceEvents"].as_array().unwrap();
            let events: Vec<_> = events.iter().filter(|event| event["ph"] == "X").collect();
            prop_assert_eq!(events.len(), laps.len());
            for (at, one) in events.iter().enumerate() {
                for other in &events[at + 1..] {
                    let apart = number(one, "ts") + number(one, "dur") <= number(other, "ts");
                    prop_assert!(one["tid"] != other["tid"] || apart);
                }
            }
        }
    }
}
