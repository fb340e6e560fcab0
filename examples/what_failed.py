"""What failed in a run, and why: the example data, in memory, in twenty lines."""

import toolkit
from toolkit import analysis, demo


def main() -> None:
    """Print the failures of the example workflow, grouped by cause."""
    with toolkit.connect(":memory:", create=True) as service:
        demo.fill(service)
        wf = service.workflow(demo.WORKFLOW)
        failed = wf.records(status="failed")
        print(wf.stats())
        causes = analysis.causes(failed)
        for count, signature, ids in zip(causes["count"], causes["signature"], causes["sample_ids"], strict=True):
            print(f"{count} x {signature}: {', '.join(ids)}")


if __name__ == "__main__":
    main()
