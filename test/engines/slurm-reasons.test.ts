/** Every word that squeue can show for a job that waits, in a sentence; and which of them need somebody. */
import { describe, expect, it } from "vitest";
import { limitNamed, whyItWaits } from "../../engines/slurm/reasons.ts";

/** As in libslurmfull.so 22.05.8, and job_state_reason.c of 25.11. */
const HEALS = `
  None Prolog Priority Dependency Resources BeginTime Licenses Reservation ReqNodeNotAvail FrontEndDown SchedDefer NodeDown
  AssociationJobLimit AssociationResourceLimit AssociationTimeLimit QOSUsageThreshold QOSJobLimit QOSResourceLimit
  QOSTimeLimit Cleaning JobArrayTaskLimit BurstBufferResources BurstBufferStageIn PowerNotAvail PowerReserved FedJobLock
  AccountingPolicy Constraints SystemFailure JobLaunchFailure NonZeroExitCode RaisedSignal TimeLimit InactiveLimit OutOfMemory
  QOSGrpCpuLimit QOSGrpCPUMinutesLimit QOSGrpCPURunMinutesLimit QOSGrpJobsLimit QOSGrpMemLimit QOSGrpNodeLimit
  QOSGrpSubmitJobsLimit QOSGrpWallLimit QOSMaxCpuPerUserLimit QOSMaxJobsPerUserLimit QOSMaxNodePerUserLimit
  QOSMaxSubmitJobPerUserLimit QOSMaxMemoryPerUser QOSMaxEnergyPerUser QOSMaxGRESPerUser QOSMaxLicensePerUser QOSMaxBBPerUser
  QOSMaxUnknownPerUser QOSMaxBillingPerUser QOSGrpUnknown QOSGrpUnknownMinutes QOSGrpUnknownRunMinutes QOSGrpMemoryMinutes
  QOSGrpMemoryRunMinutes QOSGrpNodeMinutes QOSGrpNodeRunMinutes QOSGrpEnergy QOSGrpEnergyMinutes QOSGrpEnergyRunMinutes
  QOSGrpGRES QOSGrpGRESMinutes QOSGrpGRESRunMinutes QOSGrpLicense QOSGrpLicenseMinutes QOSGrpLicenseRunMinutes QOSGrpBB
  QOSGrpBBMinutes QOSGrpBBRunMinutes QOSGrpBilling QOSGrpBillingMinutes QOSGrpBillingRunMinutes
  AssocGrpCpuLimit AssocGrpCPUMinutesLimit AssocGrpCPURunMinutesLimit AssocGrpJobsLimit AssocGrpMemLimit AssocGrpNodeLimit
  AssocGrpSubmitJobsLimit AssocGrpWallLimit AssocMaxJobsLimit AssocMaxSubmitJobLimit AssocGrpUnknown AssocGrpUnknownMinutes
  AssocGrpUnknownRunMinutes AssocGrpMemMinutes AssocGrpMemRunMinutes AssocGrpNodeMinutes AssocGrpNodeRunMinutes AssocGrpEnergy
  AssocGrpEnergyMinutes AssocGrpEnergyRunMinutes AssocGrpGRES AssocGrpGRESMinutes AssocGrpGRESRunMinutes AssocGrpLicense
  AssocGrpLicenseMinutes AssocGrpLicenseRunMinutes AssocGrpBB AssocGrpBBMinutes AssocGrpBBRunMinutes AssocGrpBilling
  AssocGrpBillingMinutes AssocGrpBillingRunMinutes MaxBBPerAccount MaxCpuPerAccount MaxEnergyPerAccount MaxGRESPerAccount
  MaxNodePerAccount MaxLicensePerAccount MaxMemoryPerAccount MaxUnknownPerAccount MaxJobsPerAccount MaxSubmitJobsPerAccount
  MaxBillingPerAccount
`;
const NEEDS_SOMEBODY = `
  PartitionNodeLimit PartitionTimeLimit PartitionDown PartitionInactive PartitionConfig JobHeldAdmin JobHeldUser
  JobHoldMaxRequeue BadConstraints InvalidAccount InvalidQOS QOSNotAllowed AccountNotAllowed DependencyNeverSatisfied
  BurstBufferOperation ReservationDeleted ReservationInvalid DeadLine MaxMemPerLimit
  QOSMaxCpuPerJobLimit QOSMaxCpuMinutesPerJobLimit QOSMaxNodePerJobLimit QOSMaxWallDurationPerJobLimit QOSMinCpuNotSatisfied
  QOSMaxUnknownPerJob QOSMaxUnknownPerNode QOSMaxUnknownMinutesPerJob QOSMinUnknown QOSMaxCpuPerNode QOSMaxMemoryPerJob
  QOSMaxMemoryPerNode QOSMaxMemoryMinutesPerJob QOSMinMemory QOSMaxNodeMinutesPerJob QOSMinNode QOSMaxEnergyPerJob
  QOSMaxEnergyPerNode QOSMaxEnergyMinutesPerJob QOSMinEnergy QOSMaxGRESPerJob QOSMaxGRESPerNode QOSMaxGRESMinutesPerJob
  QOSMinGRES QOSMaxLicensePerJob QOSMaxLicenseMinutesPerJob QOSMinLicense QOSMaxBBPerJob QOSMaxBBPerNode
  QOSMaxBBMinutesPerJob QOSMinBB QOSMaxBillingPerJob QOSMaxBillingPerNode QOSMaxBillingMinutesPerJob QOSMinBilling
  AssocMaxCpuPerJobLimit AssocMaxCpuMinutesPerJobLimit AssocMaxNodePerJobLimit AssocMaxWallDurationPerJobLimit
  AssocMaxUnknownPerJob AssocMaxUnknownPerNode AssocMaxUnknownMinutesPerJob AssocMaxCpuPerNode AssocMaxMemPerJob
  AssocMaxMemPerNode AssocMaxMemMinutesPerJob AssocMaxNodeMinutesPerJob AssocMaxEnergyPerJob AssocMaxEnergyPerNode
  AssocMaxEnergyMinutesPerJob AssocMaxGRESPerJob AssocMaxGRESPerNode AssocMaxGRESMinutesPerJob AssocMaxLicensePerJob
  AssocMaxLicenseMinutesPerJob AssocMaxBBPerJob AssocMaxBBPerNode AssocMaxBBMinutesPerJob AssocMaxBillingPerJob
  AssocMaxBillingPerNode AssocMaxBillingMinutesPerJob
`;
const words = (list: string) => list.trim().split(/\s+/);
const ALL = [...words(HEALS), ...words(NEEDS_SOMEBODY)];

describe("a word that Slurm knows", () => {
  it.each(ALL)("%s has a sentence", (word) => {
    const { sentence } = whyItWaits(word);
    expect(sentence).not.toContain(word);
    expect(sentence).toMatch(/^[A-Z][^!]+[.)]$/);
  });

  it.each(words(HEALS))("%s heals", (word) => expect(whyItWaits(word).heals).toBe(true));

  it.each(words(NEEDS_SOMEBODY))("%s waits for somebody", (word) => expect(whyItWaits(word).heals).toBe(false));
});

describe("a text", () => {
  it.each([
    ["ReqNodeNotAvail, UnavailableNodes:n[1-3],gpu7", "It needs nodes that are down or drained: n[1-3],gpu7.", true],
    ["(ReqNodeNotAvail, UnavailableNodes:n1)", "It needs nodes that are down or drained: n1.", true],
    ["ReqNodeNotAvail(Unavailable:n1)", "It needs nodes that are down or drained: n1.", true],
    ["ReqNodeNotAvail, UnavailableNodes:", "A node that it needs is not available now.", true],
    ["ReqNodeNotAvail, Reserved for maintenance", "reserved for maintenance", true],
    ["ReqNodeNotAvail, May be reserved for other job", "reserved for another job", true],
    [
      "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions",
      "are down, or reserved for other jobs",
      true,
    ],
    ["Job's account not permitted to use this partition (acctp allows root not users)", "#SBATCH --account", false],
    ["Job's QOS not permitted to use this partition (qosp allows other not normal)", "#SBATCH --qos", false],
    ["launch failed requeued held", "scontrol release", false],
    ["launch_failed_requeued_held", "scontrol release", false],
    ["job requeued in held state", "scontrol release", false],
    ["burst_buffer/lua: slurm_bb_data_in: failed", "burst buffer", false],
    ["(Resources)", "next in line", true],
    ["  Priority ", "higher priority", true],
  ])("%s", (raw, part, heals) => {
    const waiting = whyItWaits(raw);
    expect(waiting.sentence).toContain(part);
    expect(waiting.heals).toBe(heals);
  });

  it.each(["PhaseOfTheMoon", "toString", "constructor", "__proto__", "QOSMaxPhasePerMoon", ""])(
    "never seen, %s, is shown as it is and taken to heal",
    (raw) => {
      expect(whyItWaits(raw)).toEqual({ sentence: raw, heals: true });
    },
  );
});

describe("a limit's name", () => {
  it.each([
    [
      "QOSMaxWallDurationPerJobLimit",
      "It never starts: it asks for more time than one job may have in this QOS. Change #SBATCH --time, or use another #SBATCH --qos or --account.",
    ],
    [
      "AssocMaxCpuPerNode",
      "It never starts: it asks for more processors than one job may have on one node in your account. Change #SBATCH --ntasks or --cpus-per-task, or use another #SBATCH --qos or --account.",
    ],
    [
      "QOSMinGRES",
      "It never starts: it asks for less than a job must in this QOS (GPUs or other devices). Change #SBATCH --gres, or use another #SBATCH --qos or --account.",
    ],
    [
      "QOSMaxMemoryPerUser",
      "Your jobs in this QOS hold all the memory that they may have. It starts when others have ended, unless it asks for more than that by itself (#SBATCH --mem).",
    ],
    [
      "MaxNodePerAccount",
      "The jobs of your account in this QOS hold all the nodes that they may have. It starts when others have ended, unless it asks for more than that by itself (#SBATCH --nodes).",
    ],
    ["QOSMaxJobsPerUserLimit", "As many jobs run as this QOS allows at a time. It starts when others have ended."],
    [
      "AssocGrpCPUMinutesLimit",
      "The jobs of your account have used up their budget of processors. It starts when the budget is renewed; ask whoever looks after it.",
    ],
    ["AssocMaxSubmitJobLimit", "As many jobs wait and run as your account allows. It starts when others have ended."],
  ])("%s is put together to a sentence", (word, sentence) => expect(whyItWaits(word).sentence).toBe(sentence));

  it.each([
    ["AssocMaxSubmitJobLimit", "queued", false],
    ["AssocGrpSubmitJobsLimit", "queued", true],
    ["QOSMaxSubmitJobPerUserLimit", "queued", false],
    ["QOSGrpSubmitJobsLimit", "queued", true],
    ["MaxSubmitJobsPerAccount", "queued", true],
    ["QOSGrpCpuLimit", "together", true],
    ["QOSGrpCPURunMinutesLimit", "together", true],
    ["QOSMaxCpuPerUserLimit", "together", false],
    ["QOSGrpWallLimit", "budget", true],
    ["QOSMinMemory", "request", false],
    ["AssocMaxWallDurationPerJobLimit", "request", false],
  ])("%s is a limit on what is %s", (word, kind, shared) => {
    expect(limitNamed(word)).toMatchObject({ kind, shared });
  });

  it.each(["MaxMemPerLimit", "QOS", "Max", "Resources", "MaxJobs", "sbatch:", ""])("%s is none", (word) => {
    expect(limitNamed(word)).toBeUndefined();
  });
});
