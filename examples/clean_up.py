"""Clear the failures of a run, write an edited frame back, and take both back again."""

import toolkit
from toolkit import demo


def main() -> None:
    """Change the example data, in memory, and undo every step."""
    with toolkit.connect(":memory:", create=True) as service:
        demo.fill(service)
        wf = service.workflow(demo.WORKFLOW)

        plan = wf.plan_clear(records="email_*", status="failed")
        print(plan)
        cleared = plan.apply(reason="failed mails are read again tonight", expect=plan.total)

        frame = wf.records(record_type="email", columns=["record_id", "vars.label"])
        private = frame.assign(**{"vars.label": frame["vars.label"].replace("internal", "private")})
        labelled = wf.plan_update(private).apply(reason="labels")

        for receipt in (labelled, cleared):
            print(f"{receipt.kind}: {receipt.undo().records} records are back")
        print(wf.changes()[["kind", "reason", "records"]].to_string(index=False))


if __name__ == "__main__":
    main()
