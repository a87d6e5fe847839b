use std::io::Read;
use base64::Engine;
fn main() {
    let mut s = String::new();
    std::io::stdin().read_to_string(&mut s).unwrap();
    let v: serde_json::Value = serde_json::from_str(&s).unwrap();
    let r = serde_json::json!({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u1","operation":"CREATE","namespace":"shop","resource":{"group":"","version":"v1","resource":"pods"},"object":v}});
    let b = serde_json::to_vec(&r).unwrap();
    let rv = podgrace::admission::Review::read(&b).unwrap();
    let a = rv.answer(&Default::default(), None);
    println!("{}", a.decision.summary);
    let mut out: serde_json::Value = serde_json::from_slice(&a.body).unwrap();
    if let Some(p) = out["response"]["patch"].as_str() {
        let p = base64::engine::general_purpose::STANDARD.decode(p).unwrap();
        out["response"]["patch"] = serde_json::from_slice(&p).unwrap();
    }
    println!("{}", serde_json::to_string_pretty(&out).unwrap());
}
