//! Files are made, filled, renamed and compressed faster than anybody looks.

use tests::kubelet::Rotation;
use tests::{Loss, Node, Nodetap, Writer};

/// A text that was empty when it was opened may be an archive when it is looked at next: it is still one text.
#[test]
fn rotations_in_quick_succession() {
    const ROUNDS: usize = 3;
    for _ in 0..ROUNDS {
        let mut node = Node::new();
        let tap = Nodetap::on(&node);
        let mut writers: Vec<Writer> = ["web-1", "web-2"]
            .map(|pod| node.pod("shop", pod, "app"))
            .into();
        let kept = Rotation {
            max_files: 1000,
            late_lines: 3,
        };
        let running = tap.start();
        for _ in 0..30 {
            for writer in &mut writers {
                writer.lines(100);
                writer.rotate_beyond(64 << 10, kept);
            }
            running.status().must_balance();
        }
        for writer in &writers {
            running.settle_read(writer);
        }
        running.settle();
        running.stop();
        tap.must_hold(&writers.iter().collect::<Vec<_>>(), Loss::None);
    }
}
