/**
 * What real servers printed, with where it was found. Names of people and hosts, and long paths, are shortened; nothing else is
 * changed.
 */

/** OpenPBS 19.0.0, `qstat -x -f -F json 40.pbs`: documentation of buildtest (buildtesters/buildtest, docs, 2021). */
export const OPENPBS_FINISHED = `{
    "timestamp":1616013438,
    "pbs_version":"19.0.0",
    "pbs_server":"pbs",
    "Jobs":{
        "40.pbs":{
            "Job_Name":"pbs_sleep",
            "Job_Owner":"pbsuser@pbs",
            "resources_used":{
                "cpupercent":0,
                "cput":"00:00:00",
                "mem":"5620kb",
                "ncpus":1,
                "vmem":"25632kb",
                "walltime":"00:00:10"
            },
            "job_state":"F",
            "queue":"workq",
            "server":"pbs",
            "Checkpoint":"u",
            "ctime":"Wed Mar 17 20:36:48 2021",
            "Error_Path":"pbs:/tmp/stage/pbs_sleep.e40",
            "exec_host":"pbs/0",
            "exec_vnode":"(pbs:ncpus=1)",
            "Hold_Types":"n",
            "Join_Path":"n",
            "Keep_Files":"n",
            "Mail_Points":"a",
            "mtime":"Wed Mar 17 20:36:58 2021",
            "Output_Path":"pbs:/tmp/stage/pbs_sleep.o40",
            "Priority":0,
            "qtime":"Wed Mar 17 20:36:48 2021",
            "Rerunable":"True",
            "Resource_List":{
                "ncpus":1,
                "nodect":1,
                "nodes":1,
                "place":"scatter",
                "select":"1:ncpus=1",
                "walltime":"00:02:00"
            },
            "stime":"Wed Mar 17 20:36:48 2021",
            "session_id":7154,
            "jobdir":"/home/pbsuser",
            "substate":92,
            "Variable_List":{
                "PBS_O_HOME":"/home/pbsuser",
                "PBS_O_LOGNAME":"pbsuser",
                "PBS_O_WORKDIR":"/tmp/stage",
                "PBS_O_SYSTEM":"Linux",
                "PBS_O_QUEUE":"workq",
                "PBS_O_HOST":"pbs"
            },
            "comment":"Job run at Wed Mar 17 at 20:36 on (pbs:ncpus=1) and finished",
            "etime":"Wed Mar 17 20:36:48 2021",
            "run_count":1,
            "Stageout_status":1,
            "Exit_status":0,
            "Submit_arguments":"-q workq /tmp/stage/generate.sh",
            "history_timestamp":1616013418,
            "project":"_pbs_project_default"
        }
    }
}
`;

/** PBS Professional 2021.1.3, `qstat -f -F json`: aniruddhadeb, Pajamas (2023), with a resource that holds JSON itself. */
export const PBSPRO_RUNNING = `{
    "timestamp":1682496699,
    "pbs_version":"2021.1.3.20220217134230",
    "pbs_server":"hn1",
    "Jobs":{
        "3472664.pbshpc":{
            "Job_Name":"STDIN",
            "Job_Owner":"user@login01",
            "resources_used":{
                "cpupercent":0,
                "walltime":"00:01:17"
            },
            "job_state":"R",
            "queue":"standard",
            "server":"hn1",
            "Hold_Types":"n",
            "Resource_List":{
                "ncpus":1,
                "ngpus":1,
                "nodect":1,
                "site":"{\\"job.q_prio\\": 100.0, \\"job.ncpus\\": 1.0}",
                "select":"1:ncpus=1:ngpus=1:centos=haswell",
                "walltime":"00:20:00"
            },
            "substate":42,
            "Variable_List":{
                "PBS_O_WORKDIR":"/home/user/main",
                "PBS_NCHUNKS":1
            },
            "comment":"Job run at Wed Apr 26 at 13:40 on (khas024:ncpus=1:ngpus=1)",
            "run_count":1,
            "Submit_arguments":"-I -P col380 -l select=1:ncpus=1:ngpus=1:centos=haswell -l walltime=00:20:00",
            "Submit_Host":"login01"
        }
    }
}
`;

/**
 * OpenPBS with values that are no JSON: "foo":005 (issue 1255), "MYVAR":"\\'\\"asads\\"\\'" and "ab\\,c" (pull request 2049),
 * a quote that is not escaped (pull request 830). The lines are theirs, put into one answer.
 */
export const OPENPBS_BROKEN = `{
    "timestamp":1566252366,
    "pbs_version":"19.0.0",
    "pbs_server":"testpbs",
    "Jobs":{
        "53.testpbs":{
            "Job_Name":"sleep",
            "job_state":"H",
            "Hold_Types":"u",
            "Variable_List":{
                "PBS_O_WORKDIR":"/home/user/it\\'s a\\, folder",
                "foo":005,
                "MYVAR":"\\'\\"asads\\"\\'",
                "MYVAR2":"ab\\,c"
            },
            "comment":"HEALTH-CHECK: reboot "zaskly sdileny scratch" (Sep 04 14:13 SCHEDULED)",
            "Submit_arguments":"-v foo=005 -h -- /usr/bin/sleep 100"
        }
    }
}
`;

/** Torque 2.3.13, `qstat -f 42940`: a parser test of an Australian site (2013); the state and status are put in. */
export const torqueJob = (state: string, exitStatus?: string) => `Job Id: 42940.carah.localdomain
    Job_Name = test.sh
    Job_Owner = user@carah.localdomain
    resources_used.cput = 00:00:00
    resources_used.mem = 0kb
    resources_used.vmem = 0kb
    resources_used.walltime = 00:00:00
    job_state = ${state}
    queue = normal
    server = carah.localdomain
    Checkpoint = u
    ctime = Mon Aug 12 15:19:13 2013
    Error_Path = carah.localdomain:/export/home/tech/user/test.sh.e42940
    exec_host = n01/0
    Hold_Types = n
    Join_Path = n
    Keep_Files = n
    Mail_Points = a
    mtime = Mon Aug 12 15:19:43 2013
    Output_Path = carah.localdomain:/export/home/tech/user/test.sh.o42940
    Priority = 0
    qtime = Mon Aug 12 15:19:13 2013
    Rerunable = True
    Resource_List.nodect = 1
    Resource_List.nodes = 1
    Resource_List.walltime = 01:00:00
    session_id = 16857
    Variable_List = PBS_O_HOME=/export/home/tech/user,PBS_O_LANG=en_AU.UTF-8,
\tPBS_O_LOGNAME=user,
\tPBS_O_PATH=/usr/kerberos/bin:/usr/local/bin:/bin:/usr/bin:/opt/torque/2
\t.3.13/bin/:/export/home/tech/user/bin,PBS_O_MAIL=/var/spool/mail/user,
\tPBS_O_SHELL=/bin/bash,PBS_O_HOST=carah.localdomain,PBS_SERVER=carah,
\tPBS_O_WORKDIR=/export/home/tech/user,PBS_O_QUEUE=normal
    etime = Mon Aug 12 15:19:13 2013
${exitStatus === undefined ? "" : `    exit_status = ${exitStatus}\n`}    submit_args = test.sh
    start_time = Mon Aug 12 15:19:43 2013
    start_count = 1

`;

/** Slurm 22.05's own qstat -f (slurm-wlm-torque), of a real cluster; only the name is put in. */
export const SLURM_JOB =
  "Job Id:\t1\n\tJob_Name = a.20261121T140311-0123456789ab.L3Jvb3Qvam9icy9wZW5kaW5nL2E\n\tJob_Owner = root@localhost\n\tjob_state = R\n\tqueue = debug\n\tqtime = Sat Nov 21 14:12:50 2026\n\tmtime = Sat Nov 21 14:12:51 2026\n\tctime = Sat Nov 21 14:22:51 2026\n\texec_host = n1/1\n\tPriority = 4294901759\n\teuser = root(0)\n\tegroup = root(0)\n\tResource_List.walltime = 00:10:00\n\tResource_List.nodect = 1\n\tResource_List.ncpus = 1\n\n";

/** PBS Professional 18.1.4, `pbsnodes -a`: documentation of Scale-Out Computing on AWS (2019). */
export const PBSPRO_NODES = `ip-60-0-174-166
     Mom = ip-60-0-174-166.us-west-2.compute.internal
     Port = 15002
     pbs_version = 18.1.4
     ntype = PBS
     state = free
     pcpus = 1
     resources_available.arch = linux
     resources_available.host = ip-60-0-174-166
     resources_available.mem = 7706180kb
     resources_available.ncpus = 1
     resources_available.vnode = ip-60-0-174-166
     resources_assigned.accelerator_memory = 0kb
     resources_assigned.mem = 0kb
     resources_assigned.ncpus = 0
     queue = normal
     resv_enable = True
     sharing = default_shared
     last_state_change_time = Sat Oct 12 17:37:28 2019

`;

/** Torque, `pbsnodes -a`: a workshop of the Georg-August region (2012), and a parser test of futuregrid (2013). */
export const TORQUE_NODES = `node0001
     state = free
     np = 12
     properties = batch
     ntype = cluster
     jobs = 0/504.node71, 1/504.node71
     status = rectime=1326574334,varattr=,jobs=,state=free,size=18882332kb:19058396kb,netload=3025261910,gres=,loadave=0.00,ncpus=24,physmem=24599108kb,availmem=32356952kb,totmem=32987708kb,idletime=323127,nusers=0,nsessions=0,uname=Linux node0001.DOMAIN_NAME 2.6.32-131.0.15.el6.x86_64 #1 SMP Tue May 10 15:42:40 EDT 2011 x86_64,opsys=linux
     mom_service_port = 15002
     gpus = 0

i51
     state = down,job-exclusive
     np = 8
     properties = compute
     ntype = cluster
     jobs = 0/594490.i136, 1/594490.i136
     gpus = 0

`;

/** Slurm 22.05's own pbsnodes. */
export const SLURM_NODES =
  "n1\n    state = mixed\n    np = 64\n    ntype = cluster\n    status = rectime=1795270371,state=mixed,slurmstate=mixed,size=1024000000kb:1024000000kb,ncpus=64,boards=1,sockets=64,cores=1,threads=1,availmem=1000000mb,opsys=linux 6.18.44 #1 smp preempt_dynamic @0,arch=x86_64\n\n";

/** PBS Professional 2022, `qstat -Qf`: a parser test of dana group's rag_drg, trimmed there. */
export const PBSPRO_QUEUES = `Queue: workq
    queue_type = Execution
    total_jobs = 12
    state_count = Transit:0 Queued:2 Held:0 Waiting:0 Running:10 Exiting:0 Begun:0
    resources_max.walltime = 72:00:00
    resources_max.ncpus = 48
    resources_max.mem = 250gb
    resources_default.walltime = 01:00:00
    max_user_run = 20
    enabled = True
    started = True

Queue: long
    queue_type = Execution
    acl_user_enable = True
    acl_users = alice,bob,charlie,dave,erin,frank,grace,heidi,ivan,judy,mallory,oscar,pe
\tggy,trent
    resources_max.walltime = 336:00:00
    enabled = True
    started = True

Queue: old
    queue_type = Execution
    resources_max.walltime = 24:00:00
    enabled = False
    started = True

Queue: route_all
    queue_type = Route
    route_destinations = workq,gpu
    enabled = True
    started = True
`;
