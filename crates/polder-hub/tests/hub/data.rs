//! Data sets come as a folder with a file a split.

use std::fs;

use crate::place::{Place, address, failure};

#[test]
fn a_data_set_comes_as_the_hub_converted_it() {
    let place = Place::new();
    {
        let mut store = place.server.store();
        let repo = store.repo("datasets/o/glue");
        repo.put("main", "sst2/train.csv", b"a,b", false);
        for file in [
            "sst2/train/0000.parquet",
            "sst2/train/0001.parquet",
            "sst2/validation/0000.parquet",
            "cola/test/0000.parquet",
        ] {
            repo.put("refs/convert/parquet", file, file.as_bytes(), true);
        }
        store.repo("datasets/o/own").put("main", "data/train.jsonl", b"{}\n", false);
    }
    let links = place.path("links");
    let data = place.hub().dataset(&address("hf://datasets/o/glue/sst2"), &links, &mut |_| {}).unwrap();
    let mut names: Vec<String> =
        fs::read_dir(&data.path).unwrap().flatten().map(|f| f.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "validation.parquet"]);
    assert_eq!(fs::read(data.path.join("validation.parquet")).unwrap(), b"sst2/validation/0000.parquet");
    let commit = place.server.store().repo("datasets/o/glue").head("refs/convert/parquet").unwrap();
    assert_eq!(data.address, address(&format!("hf://datasets/o/glue@{commit}/sst2")));
    assert!(place.path("cache/hub/datasets--o--glue/refs/refs/convert/parquet").is_file());

    // The pinned address needs no network.
    place.server.forget();
    assert_eq!(place.offline().dataset(&data.address, &links, &mut |_| {}).unwrap().path, data.path);
    assert_eq!(
        place.offline().dataset(&address("hf://datasets/o/glue/sst2"), &links, &mut |_| {}).unwrap().path,
        data.path
    );
    assert_eq!(place.server.seen(), []);

    // Where the Hub converted nothing, the repository's own files are taken.
    let own = place.hub().dataset(&address("hf://datasets/o/own"), &links, &mut |_| {}).unwrap();
    assert_eq!(fs::read(own.path.join("train.jsonl")).unwrap(), b"{}\n");
    let named = place.hub().dataset(&address("hf://datasets/o/glue@main/sst2"), &links, &mut |_| {}).unwrap();
    assert_eq!(fs::read(named.path.join("train.csv")).unwrap(), b"a,b");

    let said = failure(place.hub().dataset(&address("hf://datasets/o/glue"), &links, &mut |_| {}));
    assert!(said.contains("hint: name one: ") && said.contains("hf://datasets/o/glue/cola"), "{said}");
    let said = failure(place.hub().dataset(&address("hf://datasets/o/none"), &links, &mut |_| {}));
    assert!(said.contains("no repository `datasets/o/none`"), "{said}");
    let said = failure(place.hub().dataset(&address("hf://o/glue"), &links, &mut |_| {}));
    assert!(said.contains("a data set is wanted"), "{said}");
    let said = failure(place.hub().model(&address("hf://datasets/o/glue"), &mut |_| {}));
    assert!(said.contains("a model is wanted"), "{said}");
}
