//! What drivers may answer, and what becomes of it.

use super::*;

/// Drivers that answer as a test says.
struct Fake {
    cuda: Option<Result<usize, String>>,
    metal: Option<Result<usize, String>>,
}

impl Drivers for Fake {
    fn built(&self, kind: Kind) -> bool {
        match kind {
            Kind::Cpu => true,
            Kind::Cuda => self.cuda.is_some(),
            Kind::Metal => self.metal.is_some(),
        }
    }

    fn count(&self, kind: Kind) -> Result<usize, String> {
        let answer = if kind == Kind::Cuda { &self.cuda } else { &self.metal };
        answer.clone().unwrap_or_else(|| panic!("{kind} was asked though it was not built"))
    }
}

const NOTHING: Fake = Fake { cuda: None, metal: None };

fn no_driver() -> Option<Result<usize, String>> {
    Some(Err("libcuda.so is not there".to_owned()))
}

fn refused(name: &str, drivers: &Fake) -> String {
    choose(name.parse().unwrap(), drivers).unwrap_err().to_string()
}

#[test]
fn names_are_read_and_written() {
    for (name, wanted, written) in [
        ("auto", Wanted::Auto, "auto"),
        ("cpu", Wanted::Cpu, "cpu"),
        ("cuda", Wanted::Cuda(0), "cuda:0"),
        ("cuda:3", Wanted::Cuda(3), "cuda:3"),
        ("metal", Wanted::Metal(0), "metal:0"),
        ("metal:1", Wanted::Metal(1), "metal:1"),
    ] {
        assert_eq!(name.parse(), Ok(wanted));
        assert_eq!(wanted.to_string(), written);
        let json = serde_json::to_string(&wanted).unwrap();
        assert_eq!(serde_json::from_str::<Wanted>(&json).unwrap(), wanted);
    }
    for name in ["", "tpu", "CUDA", "cuda:", "cuda:-1", "cuda:+1", "cuda: 1", "cuda:x", "cuda:99999", "cpu:0", "auto:0"]
    {
        let said = name.parse::<Wanted>().unwrap_err().to_string();
        assert!(said.contains(&format!("`{name}` is no device")) && said.contains("\nhint: \"auto\""), "{said}");
    }
    assert!(serde_json::from_str::<Wanted>("\"tpu\"").is_err());
}

#[test]
fn a_kind_that_was_not_built_says_how_to_build_it() {
    let said = refused("cuda:1", &NOTHING);
    assert!(said.starts_with("`cuda:1` is asked for, but this program was built without cuda\nhint: "), "{said}");
    assert!(said.contains("--features cuda") && said.contains("DEVICES.md"), "{said}");
    let said = refused("metal", &NOTHING);
    assert!(said.contains("`metal:0`") && said.contains("built without metal"), "{said}");
    assert_eq!(said.contains("--features metal"), cfg!(target_vendor = "apple"), "{said}");
}

#[test]
fn no_driver_names_the_device_the_reason_and_the_remedy() {
    let said = refused("cuda", &Fake { cuda: no_driver(), metal: None });
    assert!(said.contains("`cuda:0`") && said.contains("libcuda.so is not there"), "{said}");
    assert!(said.contains("hint: install NVIDIA's driver"), "{said}");
    let said = refused("metal", &Fake { cuda: None, metal: Some(Err("no".to_owned())) });
    assert!(said.contains("no driver for metal: no\nhint: `system_profiler"), "{said}");
}

#[test]
fn a_number_too_high_says_which_there_are() {
    let with = |count| Fake { cuda: Some(Ok(count)), metal: Some(Ok(count)) };
    let said = refused("cuda:2", &with(2));
    assert!(said.contains("there are 2 cuda devices") && said.contains("\"cuda:0\" to \"cuda:1\""), "{said}");
    assert!(refused("metal:1", &with(1)).contains("there is one metal device\nhint: take device = \"metal:0\""));
    assert!(refused("cuda", &with(0)).contains("the driver knows no cuda device\nhint: `nvidia-smi`"));
    let found = choose(Wanted::Cuda(1), &with(2)).unwrap();
    assert_eq!((found.kind, found.index), (Kind::Cuda, 1));
}

#[test]
fn auto_takes_cuda_then_metal_then_the_cpu_and_says_why() {
    let auto = |cuda, metal| choose(Wanted::Auto, &Fake { cuda, metal }).unwrap();
    assert_eq!(auto(Some(Ok(2)), Some(Ok(1))).kind, Kind::Cuda);
    assert_eq!(auto(no_driver(), Some(Ok(1))).kind, Kind::Metal);
    assert_eq!(auto(Some(Ok(0)), Some(Ok(1))).kind, Kind::Metal);
    let found = auto(no_driver(), Some(Ok(0)));
    assert_eq!(found.kind, Kind::Cpu);
    let text = found.to_string();
    assert!(text.starts_with("cpu, which `auto` falls back to: "), "{text}");
    assert!(
        text.contains("no driver for cuda (libcuda.so is not there)") && text.contains("no metal device"),
        "{text}"
    );
    let text = auto(None, None).why;
    assert!(text.contains("built without cuda") && text.contains("built without metal"), "{text}");
    assert_eq!(choose(Wanted::Cpu, &NOTHING).unwrap().to_string(), "cpu, as asked for");
    assert!(matches!(open(&choose(Wanted::Cpu, &NOTHING).unwrap()), Ok(candle_core::Device::Cpu)));
}

#[test]
fn an_arithmetic_is_refused_where_there_is_none() {
    let check = |kind, arithmetic| check_arithmetic(kind, arithmetic).map_err(|error| error.to_string());
    assert!(check(Kind::Cuda, Arithmetic::Tf32).is_ok() && check(Kind::Cpu, Arithmetic::Bf16).is_ok());
    let said = check(Kind::Cpu, Arithmetic::Tf32).unwrap_err();
    assert!(said.contains("\"tf32\", which there is not on cpu\nhint: \"tf32\" is for NVIDIA cards"), "{said}");
    assert!(check(Kind::Metal, Arithmetic::Bf16).is_err() && check(Kind::Metal, Arithmetic::F32).is_ok());
}

#[test]
fn weights_that_have_no_room_are_refused_with_what_to_do() {
    let room = |free| Some((free, 8_000_000_000));
    assert!(check_room("a card", room(7_200_000_000), 7_200_000_000).is_ok());
    assert!(check_room("a card", None, u64::MAX).is_ok(), "nobody tells");
    let said = check_room("a card", room(7_200_000_000), 13_400_000_000).unwrap_err().to_string();
    assert!(said.contains("a card has 7.2 GB of 8.0 GB free, and the weights take 13.4 GB"), "{said}");
    assert!(said.contains("\nhint: ") && said.contains("polder plan --sizes"), "{said}");
    assert!(check_weights(&candle_core::Device::Cpu, u64::MAX).is_ok());
}
