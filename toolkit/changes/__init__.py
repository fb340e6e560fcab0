"""Plan → apply → undo. A plan is a value: it says what it takes, and changes nothing until it is applied."""

from toolkit.changes.clear import ClearPlan as ClearPlan
from toolkit.changes.clear import plan_clear as plan_clear
from toolkit.changes.edits import same as same
from toolkit.changes.plans import PlanTools as PlanTools
from toolkit.changes.purge import EVERY_WORKFLOW as EVERY_WORKFLOW
from toolkit.changes.purge import PurgePlan as PurgePlan
from toolkit.changes.purge import plan_purge as plan_purge
from toolkit.changes.selection import Selection as Selection
from toolkit.changes.update import Edits as Edits
from toolkit.changes.update import UpdatePlan as UpdatePlan
from toolkit.changes.update import plan_update as plan_update
