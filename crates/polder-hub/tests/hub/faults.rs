//! Faults on the way: what passes is waited out, what is wrong is thrown away.

use std::fs;
use std::time::{Duration, Instant};

use polder_hub::{Hub, Settings};
use polder_hub_server::{Fault, Rule};

use crate::place::{Place, address, failure, large};

fn fetched(place: &Place) -> Vec<u8> {
    let model = place.hub().model(&address("hf://o/n"), &mut |_| {}).unwrap();
    assert!(
        fs::read_dir(place.path("cache/hub/models--o--n/blobs"))
            .unwrap()
            .flatten()
            .all(|f| f.path().extension().is_none())
    );
    fs::read(model.path.join("model.safetensors")).unwrap()
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let place = Place::with_model();
    // Broken five times, each time after some progress: more often than a request is tried again.
    place.server.fault(Rule { on: "GET /storage", after: 0, times: 5, fault: Fault::Cut(40_000) });
    assert_eq!(fetched(&place), large());
    let ranges: Vec<_> =
        place.server.seen().into_iter().filter(|s| s.line.contains("/storage")).map(|s| s.range).collect();
    assert_eq!(ranges.len(), 6);
    assert_eq!(
        (ranges[0].as_deref(), ranges[1].as_deref(), ranges[5].as_deref()),
        (None, Some("bytes=40000-"), Some("bytes=200000-"))
    );
}

#[test]
fn a_later_process_goes_on_where_an_earlier_one_broke_off() {
    let place = Place::with_model();
    place.server.fault(Rule { on: "GET /storage", after: 0, times: 1, fault: Fault::Cut(100_000) });
    place.server.fault(Rule { on: "GET /storage", after: 0, times: 4, fault: Fault::Drop });
    let said = failure(place.hub().model(&address("hf://o/n"), &mut |_| {}));
    assert!(said.contains("`o/n`: no answer from 127.0.0.1"), "{said}");
    place.server.forget();
    assert_eq!(fetched(&place), large());
    let seen = place.server.seen();
    assert!(seen.iter().any(|s| s.range.as_deref() == Some("bytes=100000-")), "{seen:?}");
    // A server that heeds no range begins anew, and the file is right.
    let place = Place::with_model();
    place.server.fault(Rule::once("GET /storage", Fault::Cut(100_000)));
    place.server.fault(Rule::once("GET /storage", Fault::NoRange));
    assert_eq!(fetched(&place), large());
}

#[test]
fn damaged_contents_are_fetched_again_once_and_then_refused() {
    let place = Place::with_model();
    place.server.fault(Rule::once("GET /storage", Fault::Wrong));
    assert_eq!(fetched(&place), large());
    for (on, file) in [("GET /storage", "model.safetensors"), ("GET /o/n/resolve", "config.json")] {
        let place = Place::with_model();
        place.server.fault(Rule::always(on, Fault::Wrong));
        let said = failure(place.hub().model(&address("hf://o/n"), &mut |_| {}));
        assert!(said.contains(&format!("`{file}` of `o/n` came damaged: its hash is")), "{said}");
        let left = fs::read_dir(place.path("cache/hub/models--o--n/blobs")).unwrap().flatten();
        assert!(left.map(|f| f.path()).all(|path| path.extension().is_none()), "nothing damaged stays");
    }
}

#[test]
fn what_may_pass_is_tried_again() {
    let busy = |status: u16, headers| Fault::Answer { status, headers, body: "<html>no</html>".to_owned() };
    for fault in [busy(503, vec![]), busy(429, vec![("Retry-After", "0".to_owned())]), busy(500, vec![]), Fault::Drop] {
        let place = Place::with_model();
        place.server.fault(Rule { on: "", after: 1, times: 2, fault });
        assert_eq!(fetched(&place), large());
    }
    let place = Place::with_model();
    place.server.fault(Rule::once("GET /api", busy(429, vec![("Retry-After", "1".to_owned())])));
    let start = Instant::now();
    assert_eq!(fetched(&place), large());
    assert!(start.elapsed() >= Duration::from_secs(1), "the server's wish is heeded");
}

#[test]
fn what_does_not_pass_is_said() {
    let place = Place::with_model();
    let limited = Fault::Answer { status: 429, headers: vec![("Retry-After", "4000".to_owned())], body: String::new() };
    place.server.fault(Rule::once("GET /api", limited));
    let said = failure(place.hub().model(&address("hf://o/n"), &mut |_| {}));
    assert!(said.contains("too many requests and asks to wait 4000 s"), "{said}");
    for (status, words) in [
        (503, "answers 503: a fault\nhint: try again later"),
        (403, "the token does not allow this: a fault"),
        (409, "was changed by somebody else"),
        (400, "refuses the request (400): a fault"),
    ] {
        let place = Place::with_model();
        place.server.fault(Rule::status("GET /api", status));
        let said = failure(place.hub().model(&address("hf://o/n"), &mut |_| {}));
        assert!(said.contains(words) && said.contains("`o/n`"), "{said}");
        let tries = if status == 503 { 4 } else { 1 };
        assert_eq!(place.server.seen().len(), tries, "{status}");
    }
    let place = Place::with_model();
    let page = Fault::Answer { status: 200, headers: vec![], body: "<html>a wall</html>".to_owned() };
    place.server.fault(Rule::always("GET /api", page));
    let said = failure(place.hub().model(&address("hf://o/n"), &mut |_| {}));
    assert!(said.contains("can't be used") && said.contains("HF_ENDPOINT"), "{said}");
}

#[test]
fn silence_has_an_end() {
    let place = Place::with_model();
    place.server.fault(Rule::once("GET /storage", Fault::Silent(Duration::from_secs(3))));
    let hub = Hub::new(Settings { patience: Duration::from_millis(300), ..place.settings() });
    let start = Instant::now();
    let model = hub.model(&address("hf://o/n"), &mut |_| {}).unwrap();
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(fs::read(model.path.join("model.safetensors")).unwrap(), large());
}

#[test]
fn a_listing_that_lies_is_refused() {
    let list = |text: &str| Fault::Answer { status: 200, headers: vec![], body: text.to_owned() };
    let (git, sha) = ("a".repeat(40), "b".repeat(64));
    let place = Place::with_model();
    let outside = format!("[{{\"type\": \"file\", \"path\": \"../../config.json\", \"size\": 2, \"oid\": \"{git}\"}}]");
    place.server.fault(Rule::once("/tree/", list(&outside)));
    let said = failure(place.hub().model(&address("hf://o/n"), &mut |_| {}));
    assert!(said.contains("leads out of the repository"), "{said}");
    // A file larger than any disk is known before a byte of it comes.
    let huge = format!(
        "[{{\"type\": \"file\", \"path\": \"config.json\", \"size\": 2, \"oid\": \"{git}\"}}, {{\"type\": \"file\", \"path\": \
         \"model.safetensors\", \"size\": 9, \"oid\": \"{git}\", \"lfs\": {{\"oid\": \"{sha}\", \"size\": 9000000000000000}}}}]"
    );
    let place = Place::with_model();
    place.server.fault(Rule::once("/tree/", list(&huge)));
    place.server.fault(Rule::always("GET /o/n/resolve", Fault::Drop));
    let said = failure(place.hub().model(&address("hf://o/n/"), &mut |_| {}));
    assert!(said.contains("no answer") || said.contains("no room"), "{said}");
    let only = huge.replace("config.json", "m.gguf.txt").replace("model.safetensors", "m.gguf");
    let place = Place::with_model();
    place.server.fault(Rule::once("/tree/", list(&only)));
    let said = failure(place.hub().model(&address("hf://o/n"), &mut |_| {}));
    assert!(
        said.contains("no room") && said.contains("9000000000000000 bytes are needed") && said.contains("are free"),
        "{said}"
    );
}
