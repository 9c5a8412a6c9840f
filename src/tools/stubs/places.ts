/**
 * What the weather stub knows of places: some 400 cities on all continents with their country and
 * climate, names that are no place on purpose, and a rule for every other name. A name that could be a
 * place is one, so that a request for a village works; what could be none is unknown.
 */

export type Climate = "tropical" | "dry" | "mild" | "temperate" | "cold";

export interface Place {
  /** The same for every way of writing the place ("Paris", "paris, France"). */
  readonly key: string;
  readonly climate: Climate;
}

/** Country, climate, cities. A country comes again where its climates differ. */
const TABLE = `
France|temperate|Paris, Lyon, Lille, Strasbourg, Nantes, Rennes, Dijon, Bordeaux, Toulouse, Grenoble, Reims
France|mild|Nice, Marseille, Montpellier, Cannes, Ajaccio
United Kingdom|temperate|London, Manchester, Birmingham, Edinburgh, Glasgow, Liverpool, Bristol, Leeds, Cardiff, Belfast, Oxford, Cambridge, York, Brighton, Aberdeen
Ireland|temperate|Dublin, Cork, Galway, Limerick
Germany|temperate|Berlin, Munich, Hamburg, Cologne, Frankfurt, Stuttgart, Leipzig, Dresden, Bremen, Nuremberg, Hanover
Netherlands|temperate|Amsterdam, Rotterdam, Utrecht, The Hague, Eindhoven
Belgium|temperate|Brussels, Antwerp, Ghent, Bruges
Luxembourg|temperate|Luxembourg
Switzerland|temperate|Zurich, Geneva, Bern, Basel, Lausanne, Lucerne
Austria|temperate|Vienna, Salzburg, Graz, Innsbruck, Linz
Italy|mild|Rome, Naples, Florence, Bologna, Palermo, Genoa, Bari, Pisa, Catania
Italy|temperate|Milan, Turin, Venice, Verona, Trieste
Spain|mild|Madrid, Barcelona, Seville, Valencia, Malaga, Granada, Bilbao, Zaragoza, Cordoba, Palma
Portugal|mild|Lisbon, Porto, Faro, Coimbra, Braga, Funchal
Greece|mild|Athens, Thessaloniki, Patras, Heraklion
Malta|mild|Valletta
Cyprus|mild|Nicosia, Limassol
Denmark|temperate|Copenhagen, Aarhus, Odense
Sweden|temperate|Stockholm, Gothenburg, Malmo, Uppsala
Sweden|cold|Kiruna, Umea
Norway|temperate|Oslo, Bergen, Stavanger
Norway|cold|Trondheim, Tromso, Bodo
Finland|cold|Helsinki, Tampere, Turku, Oulu, Rovaniemi
Iceland|cold|Reykjavik, Akureyri
Poland|temperate|Warsaw, Krakow, Gdansk, Wroclaw, Poznan, Lodz
Czechia|temperate|Prague, Brno, Ostrava
Slovakia|temperate|Bratislava, Kosice
Hungary|temperate|Budapest, Debrecen, Szeged
Slovenia|temperate|Ljubljana, Maribor
Croatia|mild|Split, Dubrovnik, Zadar
Croatia|temperate|Zagreb
Serbia|temperate|Belgrade, Novi Sad
Bosnia and Herzegovina|temperate|Sarajevo, Mostar
Albania|mild|Tirana
North Macedonia|temperate|Skopje
Bulgaria|temperate|Sofia, Plovdiv, Varna
Romania|temperate|Bucharest, Cluj-Napoca, Timisoara, Iasi
Moldova|temperate|Chisinau
Ukraine|temperate|Kyiv, Lviv, Odesa, Kharkiv
Estonia|cold|Tallinn, Tartu
Latvia|cold|Riga
Lithuania|cold|Vilnius, Kaunas
Belarus|cold|Minsk
Russia|cold|Moscow, Saint Petersburg, Novosibirsk, Yekaterinburg, Kazan, Vladivostok, Murmansk, Yakutsk
Turkey|mild|Istanbul, Ankara, Izmir, Antalya, Bursa
Georgia|temperate|Tbilisi, Batumi
Armenia|temperate|Yerevan
Azerbaijan|mild|Baku
United States|temperate|New York, Boston, Philadelphia, Washington, Pittsburgh, Columbus, Indianapolis, St. Louis, Kansas City, Seattle, Portland, Nashville, Salt Lake City
United States|cold|Chicago, Minneapolis, Milwaukee, Detroit, Buffalo, Denver, Cleveland, Anchorage, Fairbanks
United States|mild|San Francisco, Los Angeles, San Diego, Sacramento, Atlanta, Dallas, Austin, Houston, San Antonio, New Orleans, Charlotte, Memphis, Savannah
United States|dry|Phoenix, Las Vegas, Tucson, El Paso, Albuquerque
United States|tropical|Miami, Honolulu, Tampa, Orlando
Canada|cold|Toronto, Montreal, Ottawa, Calgary, Edmonton, Winnipeg, Quebec City, Halifax, Yellowknife, Whitehorse
Canada|temperate|Vancouver, Victoria
Mexico|mild|Mexico City, Guadalajara, Puebla, Oaxaca
Mexico|tropical|Cancun, Merida, Acapulco, Veracruz
Mexico|dry|Monterrey, Tijuana, Chihuahua
Guatemala|tropical|Guatemala City
Honduras|tropical|Tegucigalpa
El Salvador|tropical|San Salvador
Nicaragua|tropical|Managua
Costa Rica|tropical|San Jose
Panama|tropical|Panama City
Cuba|tropical|Havana, Santiago de Cuba
Jamaica|tropical|Kingston, Montego Bay
Haiti|tropical|Port-au-Prince
Dominican Republic|tropical|Santo Domingo, Punta Cana
Puerto Rico|tropical|San Juan
Bahamas|tropical|Nassau
Barbados|tropical|Bridgetown
Trinidad and Tobago|tropical|Port of Spain
Colombia|tropical|Cartagena, Cali, Barranquilla
Colombia|mild|Bogota, Medellin
Venezuela|tropical|Caracas, Maracaibo
Ecuador|mild|Quito, Cuenca
Ecuador|tropical|Guayaquil
Peru|mild|Lima, Cusco, Arequipa
Peru|tropical|Iquitos
Bolivia|mild|La Paz, Sucre, Cochabamba
Brazil|tropical|Rio de Janeiro, Salvador, Recife, Fortaleza, Manaus, Belem, Natal
Brazil|mild|Sao Paulo, Brasilia, Curitiba, Porto Alegre, Belo Horizonte
Paraguay|mild|Asuncion
Uruguay|mild|Montevideo
Argentina|mild|Buenos Aires, Rosario, Mendoza, Salta
Argentina|cold|Ushuaia, Bariloche
Chile|mild|Santiago, Valparaiso, Concepcion
Chile|dry|Antofagasta, Iquique
Chile|cold|Punta Arenas
Greenland|cold|Nuuk
Morocco|mild|Casablanca, Rabat, Tangier, Fez
Morocco|dry|Marrakesh, Agadir
Algeria|mild|Algiers, Oran
Tunisia|mild|Tunis, Sfax
Libya|dry|Tripoli, Benghazi
Egypt|dry|Cairo, Alexandria, Luxor, Aswan
Sudan|dry|Khartoum
Ethiopia|mild|Addis Ababa
Kenya|mild|Nairobi, Nakuru
Kenya|tropical|Mombasa, Kisumu
Uganda|tropical|Kampala, Entebbe
Tanzania|tropical|Dar es Salaam, Zanzibar, Arusha, Dodoma
Rwanda|mild|Kigali
Democratic Republic of the Congo|tropical|Kinshasa, Lubumbashi
Angola|tropical|Luanda
Nigeria|tropical|Lagos, Abuja, Kano, Ibadan
Ghana|tropical|Accra, Kumasi
Ivory Coast|tropical|Abidjan
Senegal|tropical|Dakar
Mali|dry|Bamako, Timbuktu
Niger|dry|Niamey
Cameroon|tropical|Yaounde, Douala
Zambia|mild|Lusaka, Livingstone
Zimbabwe|mild|Harare, Bulawayo
Botswana|dry|Gaborone
Namibia|dry|Windhoek, Swakopmund
Mozambique|tropical|Maputo, Beira
Madagascar|tropical|Antananarivo
Mauritius|tropical|Port Louis
South Africa|mild|Cape Town, Johannesburg, Durban, Pretoria, Gqeberha
Israel|mild|Tel Aviv, Jerusalem, Haifa
Jordan|dry|Amman, Aqaba
Lebanon|mild|Beirut
Syria|dry|Damascus, Aleppo
Iraq|dry|Baghdad, Basra, Erbil
Iran|dry|Tehran, Isfahan, Shiraz, Tabriz
Saudi Arabia|dry|Riyadh, Jeddah, Mecca, Medina, Dammam
United Arab Emirates|dry|Dubai, Abu Dhabi, Sharjah
Qatar|dry|Doha
Kuwait|dry|Kuwait City
Bahrain|dry|Manama
Oman|dry|Muscat, Salalah
Yemen|dry|Sanaa, Aden
Kazakhstan|cold|Almaty, Astana
Uzbekistan|dry|Tashkent, Samarkand, Bukhara
Kyrgyzstan|cold|Bishkek
Tajikistan|dry|Dushanbe
Turkmenistan|dry|Ashgabat
Mongolia|cold|Ulaanbaatar
Afghanistan|dry|Kabul, Herat
Pakistan|dry|Karachi, Lahore, Islamabad, Peshawar, Quetta
India|tropical|Mumbai, Chennai, Kolkata, Goa, Kochi, Bengaluru, Hyderabad, Pune
India|dry|Delhi, New Delhi, Jaipur, Ahmedabad, Agra, Varanasi, Lucknow
India|cold|Shimla, Leh, Srinagar
Nepal|mild|Kathmandu, Pokhara
Bhutan|temperate|Thimphu
Bangladesh|tropical|Dhaka, Chittagong
Sri Lanka|tropical|Colombo, Kandy, Galle
Maldives|tropical|Male
China|temperate|Beijing, Tianjin, Xi'an, Qingdao, Zhengzhou
China|mild|Shanghai, Guangzhou, Shenzhen, Chengdu, Wuhan, Hangzhou, Nanjing, Chongqing, Kunming, Macau, Hong Kong
China|cold|Harbin, Urumqi, Lhasa
Taiwan|mild|Taipei, Kaohsiung, Taichung
Japan|temperate|Tokyo, Osaka, Kyoto, Nagoya, Yokohama, Hiroshima, Nara, Kobe, Sendai
Japan|cold|Sapporo, Hakodate
Japan|mild|Fukuoka, Naha, Nagasaki, Kagoshima
South Korea|temperate|Seoul, Busan, Incheon, Daegu
North Korea|cold|Pyongyang
Thailand|tropical|Bangkok, Chiang Mai, Phuket, Pattaya
Vietnam|tropical|Hanoi, Ho Chi Minh City, Da Nang, Hue
Cambodia|tropical|Phnom Penh, Siem Reap
Laos|tropical|Vientiane, Luang Prabang
Myanmar|tropical|Yangon, Mandalay
Malaysia|tropical|Kuala Lumpur, Penang, Kota Kinabalu, Malacca
Singapore|tropical|Singapore
Indonesia|tropical|Jakarta, Bali, Bandung, Surabaya, Yogyakarta, Medan
Philippines|tropical|Manila, Cebu, Davao, Quezon City
Brunei|tropical|Bandar Seri Begawan
Papua New Guinea|tropical|Port Moresby
Australia|mild|Sydney, Melbourne, Perth, Adelaide, Canberra, Brisbane, Hobart
Australia|tropical|Darwin, Cairns
Australia|dry|Alice Springs
New Zealand|temperate|Auckland, Wellington, Christchurch, Queenstown, Dunedin, Hamilton
Fiji|tropical|Suva, Nadi
Samoa|tropical|Apia
Tonga|tropical|Nuku'alofa
French Polynesia|tropical|Papeete
`;

/** Names that everybody knows to be no place on Earth. */
const FICTIONAL = `Atlantis, Narnia, Gotham, Gotham City, Metropolis, Wakanda, Hogwarts, Hogsmeade, Mordor, Rivendell, Gondor, Minas Tirith, Westeros, Winterfell,
  King's Landing, El Dorado, Shangri-La, Asgard, Neverland, Emerald City, Oz, Springfieldia, Tatooine, Coruscant, Zootopia, Arendelle, Bikini Bottom, Camelot, Xanadu,
  Lilliput, Brobdingnag, Utopia, Valhalla, Elbonia, Genovia, Latveria, Zamunda, Panem, Middle-earth, Azkaban, Nowheresville, Neverwinter, Faketown, Nonexistentville`;

/** Words that say no place: a person must be asked which one is meant. */
const VAGUE = `here, there, home, my home, my house, my place, my city, my town, my location, my area, my neighborhood, our office, the office, work, nearby, near me, around here, outside,
  somewhere, anywhere, everywhere, nowhere, elsewhere, current location, this place, that place, this city, the city, today, tomorrow, tonight, now, unknown, none, null, undefined,
  n/a, location, place, city, town, the moon, moon, mars, the sun, test, string, example`;

/** Letters folded to their base, lower case, single spaces: how names are compared. */
export function placeKey(name: string): string {
  const plain = name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replaceAll("ø", "o")
    .replaceAll("Ø", "o")
    .replaceAll("ł", "l")
    .replaceAll("Ł", "l")
    .replaceAll("ß", "ss")
    .replaceAll("’", "'");
  return plain
    .toLowerCase()
    .replace(/[\s.]+/g, " ")
    .replace(/\s*,\s*/g, ", ")
    .trim();
}

interface Entry {
  readonly name: string;
  readonly country: string;
  readonly climate: Climate;
}

const list = (text: string): string[] => text.split(",").map((s) => s.trim());

const entries: readonly Entry[] = TABLE.trim()
  .split("\n")
  .flatMap((row) => {
    const [country = "", climate = "", cities = ""] = row.split("|");
    return list(cities).map((name) => ({ name, country, climate: climate as Climate }));
  });

const cities = new Map(entries.map((e) => [placeKey(e.name), e]));
const unknown = new Set([...list(FICTIONAL), ...list(VAGUE)].map(placeKey));

/** The cities by name, with their countries. */
export const CITIES: readonly { readonly name: string; readonly country: string }[] = entries.map(({ name, country }) => ({ name, country }));

/**
 * The place that a name means, or undefined when it is none: a fictional or vague name, anything without
 * letters, or a word that nobody could pronounce. "City, Country" is the city of the list when it is in
 * that country, else a place of its own.
 */
export function lookUp(name: string): Place | undefined {
  const key = placeKey(name);
  const [city = "", ...rest] = key.split(", ");
  if (unknown.has(key) || unknown.has(city)) return undefined;
  const known = cities.get(city);
  if (known !== undefined && (rest.length === 0 || rest.some((r) => inCountry(r, known.country))))
    return { key: `${city}, ${placeKey(known.country)}`, climate: known.climate };
  return plausible(key) ? { key, climate: "temperate" } : undefined;
}

/** Common short names of countries. */
const SHORT: Readonly<Record<string, string>> = {
  usa: "united states",
  us: "united states",
  "united states of america": "united states",
  uk: "united kingdom",
  "great britain": "united kingdom",
  england: "united kingdom",
  scotland: "united kingdom",
  wales: "united kingdom",
  uae: "united arab emirates",
  "czech republic": "czechia",
  "the netherlands": "netherlands",
  holland: "netherlands",
};

const inCountry = (stated: string, country: string): boolean => (Object.hasOwn(SHORT, stated) ? SHORT[stated] : stated) === placeKey(country);

/** Letters, with what names hold between them; two letters at least; no long run of consonants in Latin script. */
function plausible(key: string): boolean {
  if (key.length > 80 || !/^[\p{L}\p{N} ,.'()/-]+$/u.test(key)) return false;
  if ((key.match(/\p{L}/gu) ?? []).length < 2) return false;
  return !key
    .split(/[^\p{L}]+/u)
    .some((word) => /^[a-z]+$/.test(word) && (/[bcdfghjklmnpqrstvxz]{6}/.test(word) || (word.length > 3 && !/[aeiouyw]/.test(word))));
}
