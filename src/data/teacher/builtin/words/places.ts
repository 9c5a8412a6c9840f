/**
 * Real places to talk about: cities of the world with their country, cities of the United States with
 * their state, some regions and landmarks. Names as people write them, accents included.
 */

export interface Place {
  /** `São Paulo` */
  readonly city: string;
  /** `Brazil`; for the United States the state's two-letter code. */
  readonly region: string;
  /** Full name of the state, where `region` is a code. */
  readonly state?: string;
}

const STATES: Readonly<Record<string, string>> = Object.fromEntries(
  "AL Alabama,AK Alaska,AZ Arizona,AR Arkansas,CA California,CO Colorado,CT Connecticut,DE Delaware,FL Florida,GA Georgia,HI Hawaii,ID Idaho,IL Illinois,IN Indiana,IA Iowa,KS Kansas,KY Kentucky,LA Louisiana,ME Maine,MD Maryland,MA Massachusetts,MI Michigan,MN Minnesota,MS Mississippi,MO Missouri,MT Montana,NE Nebraska,NV Nevada,NH New Hampshire,NJ New Jersey,NM New Mexico,NY New York,NC North Carolina,ND North Dakota,OH Ohio,OK Oklahoma,OR Oregon,PA Pennsylvania,RI Rhode Island,SC South Carolina,SD South Dakota,TN Tennessee,TX Texas,UT Utah,VT Vermont,VA Virginia,WA Washington,WV West Virginia,WI Wisconsin,WY Wyoming"
    .split(",")
    .map((s) => [s.slice(0, 2), s.slice(3)]),
);

const US = `AL:Birmingham,Mobile,Huntsville|AK:Anchorage,Fairbanks,Juneau|AZ:Phoenix,Tucson,Scottsdale,Flagstaff|AR:Little Rock,Fayetteville|CA:Los Angeles,San Francisco,San Diego,Sacramento,Oakland,Fresno,San Jose,Santa Barbara,Palo Alto,Long Beach,Berkeley,Monterey|CO:Denver,Boulder,Colorado Springs,Aspen|CT:Hartford,New Haven|DE:Wilmington|FL:Miami,Orlando,Tampa,Jacksonville,Key West,Tallahassee,Fort Lauderdale|GA:Atlanta,Savannah,Augusta|HI:Honolulu,Hilo|ID:Boise,Coeur d'Alene|IL:Chicago,Springfield,Peoria|IN:Indianapolis,Bloomington|IA:Des Moines,Cedar Rapids|KS:Wichita,Topeka|KY:Louisville,Lexington|LA:New Orleans,Baton Rouge|ME:Portland,Bangor|MD:Baltimore,Annapolis|MA:Boston,Cambridge,Worcester,Salem|MI:Detroit,Ann Arbor,Grand Rapids|MN:Minneapolis,St. Paul,Duluth|MS:Jackson,Biloxi|MO:Kansas City,St. Louis,Branson|MT:Billings,Bozeman,Missoula|NE:Omaha,Lincoln|NV:Las Vegas,Reno|NH:Manchester,Concord|NJ:Newark,Princeton,Atlantic City|NM:Albuquerque,Santa Fe,Taos|NY:New York,Buffalo,Albany,Ithaca,Rochester|NC:Charlotte,Raleigh,Asheville,Durham|ND:Fargo,Bismarck|OH:Columbus,Cleveland,Cincinnati,Toledo|OK:Oklahoma City,Tulsa|OR:Portland,Eugene,Bend,Salem|PA:Philadelphia,Pittsburgh,Scranton|RI:Providence,Newport|SC:Charleston,Greenville|SD:Sioux Falls,Rapid City|TN:Nashville,Memphis,Knoxville,Chattanooga|TX:Austin,Houston,Dallas,San Antonio,El Paso,Fort Worth,Galveston|UT:Salt Lake City,Provo,Moab|VT:Burlington,Montpelier|VA:Richmond,Norfolk,Alexandria|WA:Seattle,Spokane,Tacoma,Olympia|WV:Morgantown|WI:Milwaukee,Madison,Green Bay|WY:Cheyenne,Cody`;

const WORLD = `France:Paris,Lyon,Marseille,Nice,Toulouse,Bordeaux,Strasbourg,Nantes,Lille,Grenoble,Saint-Malo|Germany:Berlin,Munich,Hamburg,Cologne,Frankfurt,Stuttgart,Düsseldorf,Leipzig,Dresden,Nuremberg,Heidelberg,Freiburg|United Kingdom:London,Manchester,Edinburgh,Glasgow,Bristol,Liverpool,Leeds,Cardiff,Belfast,Oxford,York,Brighton,Aberdeen,Newcastle upon Tyne|Ireland:Dublin,Cork,Galway,Limerick|Spain:Madrid,Barcelona,Valencia,Seville,Málaga,Bilbao,Granada,Zaragoza,San Sebastián,Córdoba|Portugal:Lisbon,Porto,Faro,Coimbra,Braga|Italy:Rome,Milan,Naples,Florence,Venice,Turin,Bologna,Palermo,Verona,Genoa,Bari,Siena|Netherlands:Amsterdam,Rotterdam,Utrecht,The Hague,Eindhoven,Delft|Belgium:Brussels,Antwerp,Ghent,Bruges|Switzerland:Zurich,Geneva,Basel,Bern,Lausanne,Lucerne,St. Gallen|Austria:Vienna,Salzburg,Graz,Innsbruck,Linz|Denmark:Copenhagen,Aarhus,Odense|Sweden:Stockholm,Gothenburg,Malmö,Uppsala|Norway:Oslo,Bergen,Trondheim,Tromsø,Stavanger|Finland:Helsinki,Tampere,Turku,Rovaniemi|Iceland:Reykjavik,Akureyri|Poland:Warsaw,Kraków,Gdańsk,Wrocław,Poznań,Łódź|Czechia:Prague,Brno,Ostrava|Slovakia:Bratislava,Košice|Hungary:Budapest,Debrecen|Romania:Bucharest,Cluj-Napoca,Timișoara,Brașov|Bulgaria:Sofia,Plovdiv,Varna|Greece:Athens,Thessaloniki,Heraklion,Patras|Croatia:Zagreb,Split,Dubrovnik|Slovenia:Ljubljana,Maribor|Serbia:Belgrade,Novi Sad|Estonia:Tallinn,Tartu|Latvia:Riga|Lithuania:Vilnius,Kaunas|Ukraine:Kyiv,Lviv,Odesa|Turkey:Istanbul,Ankara,Izmir,Antalya|Israel:Tel Aviv,Haifa,Jerusalem|Jordan:Amman,Aqaba|United Arab Emirates:Dubai,Abu Dhabi,Sharjah|Saudi Arabia:Riyadh,Jeddah|Qatar:Doha|Egypt:Cairo,Alexandria,Luxor|Morocco:Marrakesh,Casablanca,Rabat,Fez|Tunisia:Tunis|Kenya:Nairobi,Mombasa|Ethiopia:Addis Ababa|Nigeria:Lagos,Abuja,Kano|Ghana:Accra,Kumasi|Senegal:Dakar|South Africa:Cape Town,Johannesburg,Durban,Pretoria|Tanzania:Dar es Salaam,Arusha|Rwanda:Kigali|Uganda:Kampala|India:Mumbai,New Delhi,Bangalore,Chennai,Kolkata,Hyderabad,Pune,Jaipur,Kochi,Varanasi|Pakistan:Karachi,Lahore,Islamabad|Bangladesh:Dhaka|Sri Lanka:Colombo,Kandy|Nepal:Kathmandu,Pokhara|Thailand:Bangkok,Chiang Mai,Phuket|Vietnam:Hanoi,Ho Chi Minh City,Da Nang,Huế|Cambodia:Phnom Penh,Siem Reap|Malaysia:Kuala Lumpur,Penang,Ipoh|Indonesia:Jakarta,Surabaya,Bandung,Yogyakarta,Denpasar|Philippines:Manila,Cebu City,Davao|China:Beijing,Shanghai,Shenzhen,Guangzhou,Chengdu,Xi'an,Hangzhou,Harbin|Japan:Tokyo,Osaka,Kyoto,Sapporo,Fukuoka,Nagoya,Hiroshima,Nara,Kanazawa|South Korea:Seoul,Busan,Incheon,Daegu,Jeju|Taiwan:Taipei,Kaohsiung,Tainan|Mongolia:Ulaanbaatar|Kazakhstan:Almaty,Astana|Uzbekistan:Tashkent,Samarkand|Georgia:Tbilisi,Batumi|Armenia:Yerevan|Australia:Sydney,Melbourne,Brisbane,Perth,Adelaide,Hobart,Darwin,Cairns,Alice Springs|New Zealand:Auckland,Wellington,Christchurch,Queenstown,Dunedin|Canada:Toronto,Vancouver,Montréal,Calgary,Ottawa,Québec City,Halifax,Winnipeg,Edmonton,Victoria|Mexico:Mexico City,Guadalajara,Monterrey,Cancún,Oaxaca,Mérida,Puebla|Cuba:Havana|Costa Rica:San José|Panama:Panama City|Guatemala:Antigua Guatemala|Colombia:Bogotá,Medellín,Cartagena,Cali|Ecuador:Quito,Guayaquil,Cuenca|Peru:Lima,Cusco,Arequipa|Bolivia:La Paz,Sucre|Chile:Santiago,Valparaíso,Punta Arenas|Argentina:Buenos Aires,Rosario,Mendoza,Ushuaia,Bariloche|Uruguay:Montevideo,Punta del Este|Paraguay:Asunción|Brazil:São Paulo,Rio de Janeiro,Salvador,Brasília,Curitiba,Recife,Florianópolis,Manaus|Fiji:Suva|French Polynesia:Papeete|Luxembourg:Luxembourg|Malta:Valletta|Cyprus:Nicosia,Limassol|Monaco:Monaco|Montenegro:Kotor|Albania:Tirana|North Macedonia:Skopje,Ohrid|Moldova:Chișinău|Oman:Muscat|Lebanon:Beirut|Namibia:Windhoek|Botswana:Gaborone|Zambia:Lusaka|Zimbabwe:Harare|Mozambique:Maputo|Madagascar:Antananarivo|Mauritius:Port Louis`;

const parse = (text: string, us: boolean): Place[] =>
  text.split("|").flatMap((block) => {
    const [region = "", cities = ""] = block.split(":");
    return cities.split(",").map((city) => ({ city, region, ...(us ? { state: STATES[region] ?? region } : {}) }));
  });

export const US_PLACES: readonly Place[] = parse(US, true);
export const WORLD_PLACES: readonly Place[] = parse(WORLD, false);
export const COUNTRIES: readonly string[] = [...new Set(WORLD_PLACES.map((p) => p.region))];
export const STATE_NAMES: readonly string[] = Object.values(STATES);
/** Names that need no country to be found, for requests that name the city alone. */
export const FAMOUS: ReadonlySet<string> = new Set(
  "Paris,London,Berlin,Munich,Madrid,Barcelona,Lisbon,Rome,Milan,Venice,Amsterdam,Brussels,Zurich,Vienna,Copenhagen,Stockholm,Oslo,Helsinki,Warsaw,Prague,Budapest,Athens,Istanbul,Dubai,Cairo,Nairobi,Cape Town,Mumbai,Bangkok,Singapore,Beijing,Shanghai,Tokyo,Osaka,Kyoto,Seoul,Sydney,Melbourne,Toronto,Vancouver,Mexico City,Buenos Aires,Rio de Janeiro,Los Angeles,San Francisco,San Diego,New York,Chicago,Miami,Boston,Seattle,Austin,Denver,Las Vegas,Houston,Dallas,Atlanta,Philadelphia,Phoenix,New Orleans,Nashville,Honolulu,Orlando,Tampa,Portland,San Jose,San Antonio,Charlotte,Detroit,Minneapolis,Cleveland,Pittsburgh,Baltimore,Sacramento,Salt Lake City,Indianapolis,Columbus,Memphis,Milwaukee,Kansas City,St. Louis,Long Beach,Oakland,Santa Barbara,Palo Alto,Fresno,Anchorage,Tucson,Albuquerque,Omaha,Buffalo,Raleigh,Louisville,Cincinnati,Fort Worth,El Paso,Savannah,Charleston,Reno,Boise,Spokane,Key West,Fort Lauderdale,Jacksonville,Santa Fe,Aspen,Boulder,Scottsdale,Hamburg,Frankfurt,Cologne,Lyon,Nice,Marseille,Edinburgh,Glasgow,Liverpool,Manchester,Dublin,Seville,Valencia,Porto,Florence,Naples,Geneva,Salzburg,Kraków,Reykjavik,Marrakesh,Casablanca,Johannesburg,Lagos,New Delhi,Bangalore,Chennai,Kolkata,Hyderabad,Jaipur,Kathmandu,Hanoi,Ho Chi Minh City,Kuala Lumpur,Jakarta,Bali,Manila,Hong Kong,Taipei,Busan,Sapporo,Brisbane,Perth,Auckland,Wellington,Montreal,Calgary,Ottawa,Quebec City,Cancún,Guadalajara,Havana,Lima,Bogotá,Santiago,São Paulo,Tel Aviv,Jerusalem,Riyadh,Doha,Abu Dhabi,Antalya,Kyiv".split(
    ",",
  ),
);
/** What people call a city in passing. */
export const NICKNAMES: Readonly<Record<string, readonly string[]>> = {
  "New York": ["NYC", "New York City", "New York City", "the Big Apple"],
  "Los Angeles": ["LA", "L.A."],
  "San Francisco": ["SF", "San Fran", "Frisco"],
  "Las Vegas": ["Vegas"],
  Philadelphia: ["Philly"],
  Chicago: ["Chi-town", "the Windy City"],
  "New Orleans": ["NOLA"],
  "Rio de Janeiro": ["Rio"],
  "Mexico City": ["CDMX"],
  "Hong Kong": ["HK"],
  "Kuala Lumpur": ["KL"],
};
/** Airport codes that people type. */
export const AIRPORTS: readonly string[] =
  "JFK LAX SFO ORD ATL DFW DEN SEA MIA BOS LHR CDG AMS FRA MAD FCO ZRH VIE CPH OSL DXB DOH SIN HKG NRT ICN SYD MEL YYZ GRU".split(" ");
/** Places of stories and nonsense, for requests that have to fail. */
export const NOWHERE: readonly string[] =
  "Atlantis,Narnia,Mordor,Gotham City,Wakanda,Hogwarts,Neverland,El Dorado,Middle-earth,Shangri-La,Camelot,Asgard,Lilliput,Metropolis,Springfieldia,Zootopia,Rivendell,Westeros,Avalon,Xanadu,asdfgh,qwertz,xyzxyz,Nowhereville,Utopia,Brigadoon,Arendelle,Pandora City,Tatooine,Gondor".split(
    ",",
  );
