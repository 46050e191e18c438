// Writes what no table can hold, which is refused and counts for nothing, and what it can although it looks odd.
var odd = new TykJS.TykEventHandlers.NewEventHandler({});

odd.NewHandler((event, context) => {
  let deep = 1;
  for (let level = 0; level < 40; level += 1) deep = { deep };
  const set = (meta_data) =>
    TykSetKeyData(`odd-${context.EventID}`, JSON.stringify({ access_rights: { chaos: {} }, meta_data }), 1);
  for (const value of [deep, 1e300, 1e-200, { "": 1 }, "x".repeat(500_000), Array(20_000).fill(1)])
    set({ value });
  TykSetKeyData("k".repeat(5_000), "{}", 1);
  set(JSON.parse('{"constructor":{"name":"Set"},"__proto__":{"a":1},"toString":null,"\\ud800":"\\udc00"}'));
  count(event, context);
});
