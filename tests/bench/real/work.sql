create table t(id integer primary key, k text, v blob, n integer);
with recursive c(x) as (select 1 union all select x + 1 from c where x < 250000)
insert into t select x, 'key' || (x * 7919 % 100003), hex(x * 31) || ' some text', x % 1000 from c;
create index tk on t(k);
create index tn on t(n, k);
update t set v = v || k where id % 3 = 0;
delete from t where id % 5 = 0;
select count(*), sum(length(v)), max(k) from t;
select count(*) from (select n, group_concat(k) g, count(*) c from t group by n order by c desc, n);
select count(*) from t a join t b on a.k = b.k where a.n < 300;
create table u as select k, v, n from t order by v desc;
select count(distinct v) from u;
